"""A community that is moved into another store is the same there, on whatever engine, or nothing is there at all."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from moved import BIGGEST, EXTREME, NOTHING, answers, called, dump, fill
from postgres_server import PostgresServer
from raw_rows import execute, query
from store_oracle import FOLLOWING, follow, profile
from stores import ENGINES, Stores, findings, within

from upspace.model import Change, Pair, Relation, Token
from upspace.store import move_store, open_store
from upspace.store.interface import StoreError, StoreMissingError, StoreTimeoutError, StoreUnavailableError
from upspace.store.moving import Moved
from upspace.store.postgres import moving as postgres_engine
from upspace.store.sqlite import moving as sqlite_engine
from upspace.store.tables import TABLES, Column, Kind, Row, Table

TARGETS = pytest.mark.parametrize("to", ENGINES)
MODULES = {"sqlite": sqlite_engine, "postgresql": postgres_engine}


class BrokenError(Exception):
    """What a test breaks a move with."""


def unwatched(what: str, done: int, total: int) -> None:
    """Show nothing."""


def move(source: str, target: str, watch: Callable[[str, int, int], None] = unwatched) -> list[Moved]:
    return within(move_store(source, target, watch))


@pytest.fixture
def new(stores: Stores) -> Iterator[Callable[[str], str]]:
    """Makes empty stores of an engine, which are gone at the end."""
    made: list[str] = []

    def make(engine: str) -> str:
        made.append(stores.new(engine))
        return made[-1]

    yield make
    for url in made:
        stores.drop(url)


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few rows at once that every table takes several times."""
    for module in MODULES.values():
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)


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
    move(source, database)
    move(database, file)
    assert dump(file) == dump(database) == dump(source)
    postgres.drop(database)


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


# What an engine cannot hold.


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("update account set sign = 'a' || char(0) where mid = 5", "account 5: its sign has the character U+0000"),
        ("update account set vip = 'a' || char(0) where mid = 5", "account 5: its vip has the character U+0000"),
        ("update account set level = 1 << 31 where mid = 5", "account 5: its level is 2147483648, for which 32 bits"),
        ("update account set level = -(1 << 31) - 1 where mid = 5", "account 5: its level is -2147483649, for which"),
        ("update relation set re_src = 1 << 40 where owner = 5", "relation 5, 6: its re_src is 1099511627776, for"),
        ("update token set note = char(0) where mid = 5", f"token {b'5'.hex() * 32}: its note has the character"),
        ("update mark set value = char(0)", "mark m: its value has the character U+0000"),
        ("update own_group set name = char(0)", "own_group 5, 1: its name has the character U+0000"),
    ],
)
def test_what_postgresql_cannot_hold_is_named_and_sqlite_takes_it(
    new: Callable[[str], str], sql: str, line: str
) -> None:
    source, target = new("sqlite"), new("postgresql")
    small_community(source)
    execute(source, sql)
    with pytest.raises(StoreError, match=re.escape(f" cannot hold {line}")) as refused:
        move(source, target)
    assert "\n" not in str(refused.value)
    assert dump(target) == NOTHING
    other = new("sqlite")
    move(source, other)
    assert dump(other) == dump(source)


@TARGETS
def test_the_ends_of_what_a_column_holds_are_moved(new: Callable[[str], str], to: str) -> None:
    source, target = new("sqlite"), new(to)
    small_community(source)
    execute(source, "update relation set re_src = (1 << 31) - 1, mtime = 1 << 63 where owner = 5")
    execute(source, "update account set level = -(1 << 31), coins = 9e999 where mid = 5")
    move(source, target)
    assert dump(target) == dump(source)


def test_no_zero_is_negative_once_it_was_moved(new: Callable[[str], str]) -> None:
    source = new("postgresql")
    small_community(source)
    execute(source, "update account set coins = '-0'")
    for to in ENGINES:
        target = new(to)
        move(source, target)
        assert {str(row[8]) for row in dump(target)["account"]} == {"0.0"}


def test_what_sqlite_cannot_hold_is_one_line(new: Callable[[str], str]) -> None:
    source, target = new("postgresql"), new("sqlite")
    small_community(source)
    execute(source, "update account set coins = 'NaN' where mid = 5")
    with pytest.raises(StoreUnavailableError, match=r"^sqlite:.*: NOT NULL constraint failed: account.coins$"):
        move(source, target)
    assert dump(target) == NOTHING


@TARGETS
@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("update relation set mutual = 7 where owner = 5", "relation 5, 6: mutual is 7, neither 0 nor 1"),
        ("update standing set hides_birthday = -1 where mid = 6", "standing 6: hides_birthday is -1, neither 0 nor 1"),
        ("update account set sign = cast(x'ff' as text)", "a text in the table account is not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_named(new: Callable[[str], str], to: str, sql: str, line: str) -> None:
    source, target = new("sqlite"), new(to)
    small_community(source)
    execute(source, sql)
    with pytest.raises(StoreError, match=line) as refused:
        move(source, target)
    assert str(refused.value).startswith(source)
    assert dump(target) == NOTHING


def small_community(url: str) -> None:
    """Two accounts, 5 and 6, one of which follows the other, a token, a group, a mark."""

    async def load() -> None:
        store = await open_store(url)
        await store.load([profile(5), profile(6)], [follow(5, 6)], {"m": ""})
        await store.put_token(Token(b"5" * 32, 5, 1))
        await store.create_group(5, called("g"))
        await store.close()

    within(load())


# A source that is in use, and a target that somebody wants to use.


@pytest.mark.parametrize("source", ENGINES)
def test_what_is_moved_is_of_one_moment_however_much_is_written_meanwhile(
    new: Callable[[str], str], few_at_once: None, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    url, target = new(source), new("sqlite")
    mids = fill(url).mids[3:13]
    before = dump(url)
    written = 0
    undisturbed = MODULES[source].Snapshot.batches

    async def write() -> None:
        """Let each follow the next, or stop following it."""
        nonlocal written

        def turn(pair: Pair) -> Change:
            row = None if pair.forward else Relation(pair.mid, pair.fid, FOLLOWING, written)
            return Change(row, pair.backward)

        store = await open_store(url)
        for owner, other in pairwise(mids):
            assert await store.change_relations(owner, [other], turn) == {}
            written += 1
        await store.create_group(mids[0], called(f"group {written}"))
        await store.delete_account(mids[-1], written)
        await store.close()

    async def disturbed(self: Any, table: Table) -> AsyncGenerator[list[Row], None]:
        async for rows in undisturbed(self, table):
            yield rows
            if self.url != target and table.name in ("account", "relation"):
                await write()

    monkeypatch.setattr(MODULES[source].Snapshot, "batches", disturbed)
    move(url, target)
    assert written > 100
    assert dump(url) != before
    assert dump(target) == before
    assert findings(target) == []


def test_nobody_else_writes_while_a_target_is_filled(
    new: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = new("sqlite"), new("postgresql")
    filled = fill(source)
    undisturbed = postgres_engine.Room.put
    refused: list[Exception] = []

    async def disturbed(self: Any, table: Table, batches: AsyncIterator[list[Row]]) -> None:
        if table.name == "account":
            store = await open_store(target, timeout_s=0.2)
            assert await store.profile(filled.mids[0]) is None
            for write in (
                store.change_account(filled.mids[0], lambda _: profile(filled.mids[0])),
                store.put_token(Token(b"5" * 32, filled.mids[0], 1)),
                store.load([profile(filled.mids[0])], ()),
            ):
                with pytest.raises(StoreTimeoutError) as late:
                    await write
                refused.append(late.value)
            await store.close()
        await undisturbed(self, table, batches)

    monkeypatch.setattr(postgres_engine.Room, "put", disturbed)
    move(source, target)
    assert len(refused) == 3
    assert dump(target) == dump(source)


# Which stores, and what they consist of.


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


KINDS = {
    "sqlite": {
        ("TEXT", Kind.TEXT),
        ("REAL", Kind.REAL),
        ("BLOB", Kind.BYTES),
        *(("INTEGER", kind) for kind in (Kind.FLAG, Kind.NUMBER, Kind.LONG)),
    },
    "postgresql": {
        ("text", Kind.TEXT),
        ("double precision", Kind.REAL),
        ("bytea", Kind.BYTES),
        ("boolean", Kind.FLAG),
        ("integer", Kind.NUMBER),
        ("bigint", Kind.LONG),
    },
}

# What an engine keeps for itself.
OWN = {
    "sqlite": {"schema_version", "sqlite_sequence", "account_change"},
    "postgresql": {"schema_version", "change_counter", "account_change"},
}
OWN_COLUMNS = {"sqlite": set[tuple[str, str]](), "postgresql": {("standing", "written")}}

SCHEMA = {
    "sqlite": """
        select tables.name, columns.name, columns.type, columns.pk = 0 and not columns."notnull"
        from sqlite_schema as tables, pragma_table_info(tables.name) as columns
        where tables.type = 'table' order by tables.name, columns.cid
    """,
    "postgresql": """
        select table_name, column_name, data_type, is_nullable = 'YES'
        from information_schema.columns where table_schema = 'public' order by table_name, ordinal_position
    """,
}


@TARGETS
def test_the_tables_are_those_of_the_engine(new: Callable[[str], str], to: str) -> None:
    rows = query(new(to), SCHEMA[to])
    assert {table for table, *_ in rows} - OWN[to] == {table.name for table in TABLES}
    described: dict[tuple[str, str], Column] = {
        (table.name, column.name): column for table in TABLES for column in table.columns
    }
    found = {(table, column): (kind, bool(optional)) for table, column, kind, optional in rows if table not in OWN[to]}
    assert set(found) - OWN_COLUMNS[to] == set(described)
    for place, column in described.items():
        kind, optional = found[place]
        assert (kind, column.kind) in KINDS[to], place
        assert optional == column.optional, place


@TARGETS
def test_no_two_rows_have_one_key(new: Callable[[str], str], to: str) -> None:
    url = new(to)
    fill(url)
    for table in TABLES:
        distinct = f"select count(*) from (select distinct {', '.join(table.key)} from {table.name}) as keys"  # noqa: S608  # ours
        assert query(url, distinct) == [(len(dump(url)[table.name]),)]
