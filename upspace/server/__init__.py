"""The contract over HTTP: endpoint table, handlers, sessions, and the doors to Granian and to ASGI."""
