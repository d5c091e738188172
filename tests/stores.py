"""Empty stores on every engine, for suites that run on each of them."""

import asyncio
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

from postgres_server import PostgresServer

from upspace.store import migrate_store

ENGINES = ("sqlite", "postgresql")

_SQLITE = "sqlite:///"


class Stores:
    """Makes stores and removes them again; the PostgreSQL server starts with the first store that needs it."""

    def __init__(self, folder: Path, server: Callable[[], PostgresServer]) -> None:
        self._folder = folder
        self._server = server
        self._numbers = count(1)

    def new(self, engine: str) -> str:
        """The URL of an empty store. Not within a running event loop."""
        if engine == "postgresql":
            return self._server().migrated_database()
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        url = f"{_SQLITE}{folder / 'store.db'}"
        asyncio.run(migrate_store(url))
        return url

    def drop(self, url: str) -> None:
        """Remove a store that `new` has made; one in memory is gone when it is closed."""
        if url.startswith(_SQLITE):
            shutil.rmtree(Path(url.removeprefix(_SQLITE)).parent)
        elif url.startswith("postgresql:"):
            self._server().drop(url)
