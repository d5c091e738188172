"""The contract over HTTP: endpoint table, handlers, sessions, doors, and the processes that serve."""
