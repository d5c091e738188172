"""A move that is refused, breaks, or does not arrive as it was leaves nothing behind."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from move_world import TARGETS, move, move_few_at_once
from moved import BIGGEST, NOTHING, dump, fill
from postgres_server import PostgresServer
from raw_rows import execute
from stores import ENGINES, within

from upspace.store import move_store
from upspace.store.interface import StoreError, StoreMissingError, StoreUnavailableError


class BrokenError(Exception):
    """What a test breaks a move with."""


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    move_few_at_once(monkeypatch)


@TARGETS
@pytest.mark.parametrize("table", ["standing", "mark"])
def test_a_target_that_holds_something_is_left_as_it_is(new: Callable[[str], str], to: str, table: str) -> None:
    source, target = new("sqlite"), new(to)
    fill(source)
    if table == "standing":
        fill(target)
    else:
        execute(target, "insert into mark values ('a', 'b'), ('c', 'd')")
    before = dump(target)
    held = rf"accounts \({len(before['standing'])}\)" if table == "standing" else r"rows in the table mark \(2\)"
    with pytest.raises(StoreError, match=rf"is not empty, as it has to be: it holds {held}$"):
        move(source, target)
    assert dump(target) == before


@TARGETS
@pytest.mark.parametrize("source", ENGINES)
@pytest.mark.parametrize("share", [0.0, 0.4, 0.5, 0.99])
def test_a_move_that_breaks_leaves_nothing_behind_and_can_be_started_again(
    new: Callable[[str], str], few_at_once: None, source: str, to: str, share: float
) -> None:
    url, target = new(source), new(to)
    fill(url)

    def breaking(what: str, done: int, total: int) -> None:
        if done >= share * total:
            raise BrokenError

    with pytest.raises(BrokenError):
        move(url, target, breaking)
    assert dump(target) == NOTHING
    move(url, target)
    assert dump(target) == dump(url)


@TARGETS
@pytest.mark.parametrize("source", ENGINES)
def test_a_move_that_is_cancelled_leaves_nothing_behind(
    new: Callable[[str], str], few_at_once: None, source: str, to: str
) -> None:
    url, target = new(source), new(to)
    fill(url)

    async def cancelled() -> str:
        task = asyncio.current_task()
        assert task is not None
        last = ""

        def cancelling(what: str, done: int, total: int) -> None:
            nonlocal last
            last = what
            if done >= 0.4 * total:
                task.cancel()

        try:
            await move_store(url, target, cancelling)
        except asyncio.CancelledError:
            task.uncancel()
        return last

    assert within(cancelled()).startswith("writing ")
    assert dump(target) == NOTHING


# Damage on the way: a row is not there as it came.

DAMAGE = {
    "sqlite": {
        "altered": "update relation set mtime = mtime + 1 where owner = new.owner and other = new.other",
        "lost": "delete from relation where owner = new.owner and other = new.other",
        "added": "insert or ignore into mark values ('a', 'b')",
    },
    "postgresql": {
        "altered": "new.mtime := new.mtime + 1; return new;",
        "lost": "return null;",
        "added": "insert into standing values (77, 0, false, false, false, 0, 0, 0, 0, 0) on conflict do nothing;"
        "return new;",
    },
}


def damage_one_row(target: str, what: str) -> None:
    """Let the store itself do something to one relation as it comes."""
    if target.startswith("sqlite"):
        body = DAMAGE["sqlite"][what]
        execute(
            target,
            f"create trigger damage after insert on relation when new.owner = {BIGGEST - 1} begin {body}; end",
        )
        return
    body = DAMAGE["postgresql"][what]
    execute(target, f"create function damage() returns trigger language plpgsql as $$ begin {body} end $$")
    execute(
        target,
        f"create trigger damage before insert on relation for each row when (new.owner = {BIGGEST - 1})"
        " execute function damage()",
    )


@TARGETS
@pytest.mark.parametrize("what", ["altered", "lost", "added"])
def test_one_row_that_does_not_arrive_as_it_was_is_noticed(new: Callable[[str], str], to: str, what: str) -> None:
    source, target = new("sqlite"), new(to)
    fill(source)
    damage_one_row(target, what)
    with pytest.raises(StoreError, match=r"nothing was moved: .* with checksum .* went into the table") as refused:
        move(source, target)
    assert "\n" not in str(refused.value)
    assert dump(target) == NOTHING


# Which stores.


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        ("sqlite://", "{file}", "sqlite:// is empty when it is opened and gone when it is closed: use a file"),
        ("{file}", "sqlite://", "sqlite:// is empty when it is opened and gone when it is closed: use a file"),
        ("{file}", "{file}", "cannot be moved into itself"),
        (
            "postgres://u:secret@h/d",
            "postgres://u:secret@h/d",
            "^postgres://u:\\*\\*\\*@h/d cannot be moved into itself",
        ),
        ("mysql://u:secret@h/d", "{file}", r"no engine for 'mysql://u:\*\*\*@h/d'"),
        ("{file}", "mysql://u:secret@h/d", r"no engine for 'mysql://u:\*\*\*@h/d'"),
        ("{folder}/none.db", "{folder}/new.db", "there is no such file"),
        ("{file}", "{folder}/none/new.db", "there is no folder"),
    ],
)
def test_a_move_that_cannot_be_is_refused(
    new: Callable[[str], str], tmp_path: Path, source: str, target: str, error: str
) -> None:
    names = {"file": new("sqlite"), "folder": f"sqlite:///{tmp_path}"}
    with pytest.raises(StoreUnavailableError, match=error):
        move(source.format(**names), target.format(**names))
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_not_there_is_said_to_be_missing(
    new: Callable[[str], str], postgres: PostgresServer
) -> None:
    missing = postgres.url("missing")
    for source, target in ((missing, new("sqlite")), (new("sqlite"), missing)):
        with pytest.raises(StoreMissingError, match=r"missing: there is no such database"):
            move(source, target)
