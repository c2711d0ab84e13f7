"""Where in the call's audio the caller speaks: frames in, utterances out. See `endpointer`."""
