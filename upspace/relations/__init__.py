"""The rules of relations as pure functions: no I/O, no clock, no randomness."""
