"""Loading a large community from files, and what the database programs take for the same rows."""
