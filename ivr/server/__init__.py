"""The shell around the calls: HTTP, the media socket, health, logs."""
