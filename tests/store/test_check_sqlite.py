"""What is true of a check of SQLite alone: its plans, its log, its locks and connections."""

import asyncio
import re
from contextlib import closing
from pathlib import Path
from random import Random

import apsw
import pytest
from raw_rows import SQLITE, execute, raw
from store_damage import GROUPS, MENDED, community, fill, found, opened, run_check

from upspace.store.findings import KINDS
from upspace.store.interface import Finding, StoreTimeoutError
from upspace.store.queries import read_queries
from upspace.store.sqlite import check as checking
from upspace.store.sqlite import connection
from upspace.store.tables import TABLES

STATEMENTS = read_queries("upspace.store.sqlite", "check.sql")


@pytest.fixture
def url(file_url: str) -> str:
    """A store in which everything agrees, with something of everything."""
    asyncio.run(fill(file_url))
    execute(file_url, GROUPS)
    return file_url


def test_a_mutual_state_that_is_neither_is_mended(url: str) -> None:
    execute(url, "update relation set mutual = 7 where owner = 2")
    (finding,) = found(url)
    assert (finding.kind, finding.mid) == ("mutual_missing", 2)
    found(url, repair=True)
    assert found(url) == []


def test_a_repair_that_gets_no_lock_says_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(url, MENDED[0].sql)
    monkeypatch.setattr(connection, "LOCK_TIMEOUT_S", 0.01)
    with closing(apsw.Connection(url.removeprefix(SQLITE))) as holder:
        holder.execute("begin immediate")
        assert len(found(url)) == 2
        with pytest.raises(StoreTimeoutError):
            found(url, repair=True)
        holder.execute("rollback")
    assert {finding.mended for finding in found(url, repair=True)} == {True}


def test_the_log_does_not_grow_with_what_is_mended(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_CHUNK_ROWS", 9)
    monkeypatch.setattr(checking, "_BATCH_ROWS", 3)

    def log_bytes() -> int:
        return Path(url.removeprefix(SQLITE) + "-wal").stat().st_size

    async def repair() -> None:
        async with opened(url) as store, raw(url) as second:
            await store.load(*community(Random(1), 60))
            await second.execute("delete from follower; update relation set mutual = 1 - mutual")
            await second.execute("pragma wal_checkpoint(truncate)")
            assert log_bytes() == 0
            assert len(await run_check(store, repair=True)) > 500
            assert log_bytes() < 300_000

    asyncio.run(repair())


def test_a_check_that_is_given_up_leaves_no_connection(url: str) -> None:
    execute(url, "delete from follower")
    path = url.removeprefix(SQLITE)

    def open_connections() -> int:
        return sum(db.filename == path for db in apsw.connections() if isinstance(db, apsw.Connection))

    async def start() -> None:
        async with opened(url) as store:
            steps = store.check(repair=True)
            assert isinstance(await anext(steps), Finding)
            assert open_connections() == 3
            await steps.aclose()
            assert open_connections() == 1

    asyncio.run(start())


# Statements


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_statement_finds_its_rows_through_an_index(name: str, url: str) -> None:
    plans = []
    with closing(connection.connect(Path(url.removeprefix(SQLITE)), writable=True)) as db:
        for sql in STATEMENTS[name].split(";"):
            bindings = dict.fromkeys(re.findall(r":(\w+)", sql)) or (None,) * sql.count("?")
            plans.append([row[3] for row in db.execute("explain query plan " + sql, bindings)])
    lines = [line for plan in plans for line in plan]
    tables = {table.name for table in TABLES}
    scanned = [line for line in lines if line.split()[0] == "SCAN" and line.split()[1] in tables]
    # How many accounts there are is counted once.
    assert scanned == (["SCAN standing"] if name == "accounts" else [])
    assert not [line for line in lines if "TEMP B-TREE" in line]
    if name.startswith("find_"):
        (plan,) = plans
        outer = next(line for line in plan if line.startswith("SEARCH"))
        assert re.search(r">\? AND \w+<\?\)", outer), plan


def test_no_statement_is_missing_or_there_for_nothing() -> None:
    used = {"accounts", "chunk_end", "chunk_accounts", "settle_pair", "recount"}
    used |= {f"find_{kind.name}" for kind in KINDS}
    # What a counter is follows from a recount alone.
    used |= {f"mend_{kind.name}" for kind in KINDS if not kind.for_a_person and kind.name != "wrong_counter"}
    assert set(STATEMENTS) == used
