"""Looks at what a SQLite store asks its file for."""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from upspace.store.sqlite.store import SqliteStore


@contextmanager
def statements_seen(store: SqliteStore) -> Iterator[list[str]]:
    """What is asked through the store's reader until the end of a `with`."""
    seen: list[str] = []

    def trace(cursor: apsw.Cursor, sql: str, bindings: "apsw.Bindings | None") -> bool:
        seen.append(sql)
        return True

    store._reader.exec_trace = trace
    try:
        yield seen
    finally:
        store._reader.exec_trace = None
