"""Moves of a store into another, and the empty stores that they need."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from stores import ENGINES, Stores, within

from upspace.store import move_store
from upspace.store.moving import Moved
from upspace.store.postgres import moving as postgres_engine
from upspace.store.sqlite import moving as sqlite_engine

TARGETS = pytest.mark.parametrize("to", ENGINES)
MODULES = {"sqlite": sqlite_engine, "postgresql": postgres_engine}


def unwatched(what: str, done: int, total: int) -> None:
    """Show nothing."""


def move(source: str, target: str, watch: Callable[[str, int, int], None] = unwatched) -> list[Moved]:
    return within(move_store(source, target, watch))


@contextmanager
def new_stores(stores: Stores) -> Iterator[Callable[[str], str]]:
    """Makes empty stores of an engine, which are gone at the end."""
    made: list[str] = []

    def make(engine: str) -> str:
        made.append(stores.new(engine))
        return made[-1]

    try:
        yield make
    finally:
        for url in made:
            stores.drop(url)


def move_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few rows at once that every table takes several times."""
    for module in MODULES.values():
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
