"""Moves of a store into another."""

from collections.abc import Callable

import pytest
from stores import ENGINES, within

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


def move_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few rows at once that every table takes several times."""
    for module in MODULES.values():
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
