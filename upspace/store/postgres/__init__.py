"""The PostgreSQL engine: one server, or a Citus cluster."""
