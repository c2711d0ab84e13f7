"""The numeric Whisper: tokens, beam search, engine and worker pool. No torch: serving needs none."""
