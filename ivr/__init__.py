"""`ivr`: a telephony voice server that hears numbers."""

__version__ = "0.1.0"
