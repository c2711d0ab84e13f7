"""Sound in and out of the core: G.711, sample rates, features, recordings, synthesis.

Every signal is mono int16 `[n_samples]` at 8 kHz unless a name or docstring says otherwise. The
modules are imported one by one (`from ivr.audio.g711 import mulaw_decode`), so that a process loads
only the libraries it uses.
"""
