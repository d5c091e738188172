"""The log of a SQLite file is copied and begun anew, whoever reads meanwhile."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer

import apsw
import pytest
from store_oracle import profile

from upspace.store import migrate_store
from upspace.store.sqlite import log
from upspace.store.sqlite.connection import connect_existing
from upspace.store.sqlite.log import Log
from upspace.store.sqlite.store import SqliteStore


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store whose log is copied after a few pages."""
    monkeypatch.setattr(log, "_COPIED_AT_PAGES", 10)
    monkeypatch.setattr(log, "_BEGUN_ANEW_AT_PAGES", 20)
    monkeypatch.setattr(log, "_WAIT_MS", 20_000)
    url = f"sqlite:///{tmp_path / 'store.db'}"
    asyncio.run(migrate_store(url))
    return url


@pytest.fixture
def writer(url: str) -> Iterator[apsw.Connection]:
    """A connection that writes."""
    with closing(connect_existing(url, writable=True)) as db:
        yield db


@pytest.fixture
def reader(url: str, writer: apsw.Connection) -> Iterator[apsw.Connection]:
    """A connection that reads what is there now until it is told otherwise."""
    writer.execute("insert into mark values ('first', '')")
    with closing(connect_existing(url, writable=False)) as db:
        db.execute("begin; select * from mark").fetchall()
        yield db


def write(db: apsw.Connection, commits: int) -> None:
    """Each commit adds a page to the log or more."""
    for number in range(commits):
        db.execute("insert or replace into mark values ('number', ?)", (str(number),))


def test_a_log_that_nobody_reads_begins_anew_once_it_is_copied(writer: apsw.Connection) -> None:
    of = Log(writer)
    write(writer, 12)
    assert of._pages >= 12
    of.copy()
    write(writer, 1)
    assert of._pages < 10


def test_who_reads_for_a_turn_is_waited_for(writer: apsw.Connection, reader: apsw.Connection) -> None:
    of = Log(writer)
    write(writer, 30)
    leaving = Timer(0.01, reader.execute, ["commit"])
    leaving.start()
    of.copy()
    leaving.join()
    write(writer, 1)
    assert of._pages < 10


def test_who_reads_for_long_is_not_waited_for_again_before_the_log_has_grown(
    writer: apsw.Connection, reader: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_WAIT_MS", 1)
    of = Log(writer)
    write(writer, 30)
    of.copy()
    assert of._begun_anew_at > of._pages
    write(writer, 1)
    # Copies what it can, and waits for nobody.
    of.copy()
    assert of._pages > 30
    reader.execute("commit")
    write(writer, 10)
    of.copy()
    write(writer, 1)
    assert of._pages < 10
    assert of._begun_anew_at == 20


def test_a_store_copies_its_log_while_it_is_written_to(url: str, tmp_path: Path) -> None:
    async def change(times: int) -> None:
        store = SqliteStore.open(url)
        try:
            for number in range(times):
                await store.change_account(1, lambda _, number=number: profile(1, f"name {number}"))  # type: ignore[misc]  # a default binds the value
            assert (tmp_path / "store.db-wal").stat().st_size < 60 * 4096
        finally:
            await store.close()

    asyncio.run(change(60))
