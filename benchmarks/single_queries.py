"""upspace over PostgreSQL as it would be if requests shared no queries: each sends its own. Nothing else differs.

    python benchmarks/single_queries.py --port 8080 --store postgresql://user@host/database --connections 8

One worker with the options of `upspace serve`; as many queries are under way at once as there are connections. It is
what gathered lookups are measured against.
"""

import argparse
import asyncio
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from single_commits import parse_options, serve

from upspace.store.postgres import reader, store
from upspace.store.postgres.gather import Gathered
from upspace.store.postgres.reader import Reader

K = TypeVar("K")
V = TypeVar("V")


class Single(Gathered[K, V]):
    """Looks up what each asks for by a query of its own."""

    def ask(self, keys: Collection[K]) -> "asyncio.Future[Mapping[K, V]]":
        return asyncio.ensure_future(self._fetch(list(keys)))


class SingleReader(Reader):
    """Reads a page by the statement about one owner, not by that about many."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pages = {}


def main() -> None:
    """Serve until a signal comes."""
    given = parse_options(argparse.ArgumentParser(description="upspace over PostgreSQL with one query a request."))
    for module, name, single in (
        (reader, "Gathered", Single),
        (store, "Gathered", Single),
        (store, "Reader", SingleReader),
    ):
        setattr(module, name, single)
    serve(given, given.connections)


if __name__ == "__main__":
    main()
