"""A server that tests control: faults, journal, clock, snapshots. Only `--control` brings any of it in."""
