"""The simulated caller: scripts, the phone, the provider-shaped stream, the report."""
