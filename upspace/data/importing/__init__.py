"""Taking in users and relations from files."""
