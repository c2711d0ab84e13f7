"""Call records: what is kept of each call, and where."""
