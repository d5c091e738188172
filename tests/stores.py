"""Empty stores on every engine, for suites that run on each of them."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from postgres_server import PostgresServer

from upspace.store import migrate_store, open_store
from upspace.store.interface import Finding, Store

T = TypeVar("T")

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


def within(work: Coroutine[Any, Any, T]) -> T:
    """What it returns, run in an event loop of its own."""
    return asyncio.run(work)


def asked(url: str, ask: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    """What a store answers."""

    async def run() -> T:
        store = await open_store(url)
        try:
            return await ask(store)
        finally:
            await store.close()

    return within(run())


def findings(url: str) -> list[Finding]:
    """What a check of a store finds."""

    async def check(store: Store) -> list[Finding]:
        return [step async for step in store.check(repair=False) if isinstance(step, Finding)]

    return asked(url, check)
