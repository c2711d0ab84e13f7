"""Testing call flows by simulated calls: `ivr test`, the pytest plugin, `ivr replay`."""
