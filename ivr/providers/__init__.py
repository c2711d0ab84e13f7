"""Wire dialects of the telephony providers: messages in, events out, and back; no I/O."""
