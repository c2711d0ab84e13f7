"""The numeric Whisper: tokens, beam search, engine, worker pool. Serving needs no torch."""
