"""A store in a SQLite file, and the file behind its back."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from upspace.store import migrate_store
from upspace.store.sqlite.store import SqliteStore


def migrated(path: Path) -> str:
    """The URL of a store in this file that has been migrated and holds nothing."""
    url = f"sqlite:///{path}"
    asyncio.run(migrate_store(url))
    return url


@contextmanager
def opened(url: str) -> Iterator[SqliteStore]:
    """The store at a URL, closed in the end."""
    store = SqliteStore.open(url)
    try:
        yield store
    finally:
        asyncio.run(store.close())


def execute(path: Path, sql: str) -> None:
    """Run statements on a file, behind the back of every store."""
    with closing(apsw.Connection(str(path))) as db:
        db.execute(sql)
