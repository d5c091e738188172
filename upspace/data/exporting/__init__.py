"""Writing users and relations to files."""
