"""A community that is moved into another store is the same there, on whatever engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from move_world import MODULES, TARGETS, move, move_few_at_once, unwatched
from moved import BIGGEST, EXTREME, NOTHING, answers, called, dump, fill, small_community
from postgres_server import PostgresServer
from raw_rows import execute, query
from stores import ENGINES, within

from upspace.store import move_store, open_store
from upspace.store.tables import TABLES


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    move_few_at_once(monkeypatch)


@pytest.mark.parametrize(
    "route",
    [
        ("sqlite", "postgresql", "sqlite"),
        ("postgresql", "sqlite", "postgresql"),
        ("sqlite", "sqlite"),
        ("postgresql", "postgresql"),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("at_once", [5_000, 1])
def test_every_row_and_every_answer_is_the_same_wherever_it_is_moved(
    new: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, route: tuple[str, ...], at_once: int
) -> None:
    for module in MODULES.values():
        monkeypatch.setattr(module, "ROWS_AT_ONCE", at_once)
    source = new(route[0])
    filled = fill(source, accounts=40)
    rows, facts = dump(source), answers(source, filled.mids)
    assert all(rows.values())
    arrived = []
    for engine in route[1:]:
        target = new(engine)
        arrived.append(move(source, target))
        assert dump(target) == rows
        assert answers(target, filled.mids) == facts
        source = target
    assert [(found.table, found.rows) for found in arrived[0]] == [(name, len(rows[name])) for name in rows]
    assert all(found == arrived[0] for found in arrived)


@TARGETS
@pytest.mark.parametrize("source", ENGINES)
def test_no_group_gets_an_id_that_one_had_before_the_move(new: Callable[[str], str], source: str, to: str) -> None:
    url, target = new(source), new(to)
    filled = fill(url)
    move(url, target)

    assert new_group(target, filled.mids[0]) == filled.highest_group_id + 1


def test_a_group_whose_id_the_counter_has_never_given_keeps_it_to_itself(new: Callable[[str], str]) -> None:
    source, target = new("postgresql"), new("postgresql")
    fill(source)
    execute(source, "insert into own_group values (1, 700, 'x')")
    move(source, target)
    assert new_group(target, BIGGEST) == 701


def new_group(url: str, owner: int) -> int:
    """The id that the next group gets."""

    async def create() -> int:
        store = await open_store(url)
        try:
            return await store.create_group(owner, called("new"))
        finally:
            await store.close()

    return within(create())


@TARGETS
@pytest.mark.parametrize("source", ENGINES)
def test_an_empty_store_is_moved_as_well_and_its_first_group_is_still_to_come(
    new: Callable[[str], str], source: str, to: str
) -> None:
    target = new(to)
    assert {found.rows for found in move(new(source), target)} == {0}
    assert dump(target) == NOTHING
    small_community(target)
    assert dump(target)["own_group"] == [(5, 1, "g")]


@TARGETS
def test_a_server_of_the_target_learns_that_all_accounts_have_changed(new: Callable[[str], str], to: str) -> None:
    source, target = new("sqlite"), new(to)
    fill(source)

    async def changes() -> tuple[Any, Any]:
        served = await open_store(target)
        try:
            before = await served.newest_change()
            await move_store(source, target, unwatched)
            return await served.changed_accounts(before), await served.accounts([BIGGEST])
        finally:
            await served.close()

    (newest, accounts), found = within(changes())
    assert (newest > 0, accounts) == (True, None)
    assert found[BIGGEST].account == EXTREME.account


def test_postgresql_knows_at_once_how_much_there_is_but_not_that_a_table_is_small(
    new: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan for a table that is known to be empty goes through all of it again and again once it is not."""
    monkeypatch.setattr("upspace.store.postgres.moving.WORTH_ANALYZING", 100)
    source, target = new("sqlite"), new("postgresql")
    fill(source)
    move(source, target)
    known: dict[str, float] = dict(query(target, "select relname, reltuples from pg_class where relkind = 'r'"))
    rows = {name: len(found) for name, found in dump(target).items()}
    assert {name: known[name] for name in rows} == {
        name: float(count) if count >= 100 else -1.0 for name, count in rows.items()
    }
    assert min(rows.values()) < 100 <= max(rows.values())


def test_what_is_not_there_yet_is_made(new: Callable[[str], str], tmp_path: Path, postgres: PostgresServer) -> None:
    source = new("sqlite")
    fill(source)
    file, database = f"sqlite:///{tmp_path / 'new.db'}", postgres.new_database()
    try:
        move(source, database)
        move(database, file)
        assert dump(file) == dump(database) == dump(source)
    finally:
        postgres.drop(database)


def test_progress_goes_through_every_table_twice(new: Callable[[str], str], few_at_once: None) -> None:
    source = new("sqlite")
    fill(source)
    seen: list[tuple[str, int, int]] = []
    rows = sum(found.rows for found in move(source, new("sqlite"), lambda *step: seen.append(step)))
    assert list(dict.fromkeys(what for what, _, _ in seen)) == [
        f"{what} {table.name}" for what in ("writing", "verifying") for table in TABLES
    ]
    assert {total for _, _, total in seen} == {2 * rows}
    assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})
    assert seen[-1][1] == 2 * rows
