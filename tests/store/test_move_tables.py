"""The tables of a move are those of every engine, and what an engine cannot hold in them is named."""

import re
from collections.abc import Callable

import pytest
from move_world import TARGETS, move
from moved import NOTHING, dump, fill, small_community
from raw_rows import execute, query
from stores import ENGINES

from upspace.store.interface import StoreError, StoreUnavailableError
from upspace.store.tables import TABLES, Column, Kind

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
    "sqlite": {"schema_version", "sqlite_sequence", "account_change", "owner_change"},
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
