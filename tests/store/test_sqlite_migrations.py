"""Migrating a SQLite file: once, by one of many, and not when the version in it is of another time."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier, Timer

import apsw
import pytest
from sqlite_files import execute, migrated, opened
from store_oracle import profile

from upspace.store import migrate_store, open_store
from upspace.store.interface import SchemaTooNewError, SchemaTooOldError, StoreUnavailableError
from upspace.store.sqlite import connection

NEWEST = len(list((Path(connection.__file__).parent / "migrations").glob("*.sql")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store file shall be."""
    return tmp_path / "store.db"


@pytest.fixture
def url(path: Path) -> str:
    """A store that holds nothing."""
    return migrated(path)


def test_a_file_is_made_migrated_and_then_left_alone(path: Path) -> None:
    url = f"sqlite:///{path}"
    assert asyncio.run(migrate_store(url)) == (0, NEWEST)
    with opened(url) as store:
        asyncio.run(store.load([profile(1)], []))
    before = path.read_bytes()
    assert asyncio.run(migrate_store(url)) == (NEWEST, NEWEST)
    assert path.read_bytes() == before


def test_an_empty_file_may_become_a_store(path: Path) -> None:
    path.touch()
    assert asyncio.run(migrate_store(f"sqlite:///{path}")) == (0, NEWEST)


@pytest.mark.parametrize("table", ["account (id integer primary key, balance real)", "schema_version (version text)"])
def test_the_database_of_another_program_is_refused_and_stays_as_it_is(path: Path, table: str) -> None:
    execute(path, f"create table {table}")
    before = path.read_bytes()
    with pytest.raises(StoreUnavailableError, match="is the database of another program"):
        asyncio.run(migrate_store(f"sqlite:///{path}"))
    assert path.read_bytes() == before
    assert not path.with_name("store.db-wal").exists()


def test_of_many_that_migrate_at_once_one_does_it_and_the_others_find_it_done(path: Path) -> None:
    barrier = Barrier(4)

    def migrate_with_the_others(_: int) -> tuple[int, int]:
        barrier.wait()
        return asyncio.run(migrate_store(f"sqlite:///{path}"))

    with ThreadPoolExecutor(4) as pool:
        steps = list(pool.map(migrate_with_the_others, range(4)))
    assert sorted(steps) == [(0, NEWEST), *[(NEWEST, NEWEST)] * 3]


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_a_migration_waits_for_whoever_holds_the_lock(path: Path, journal_mode: str) -> None:
    with closing(apsw.Connection(str(path))) as holder:
        holder.execute(f"pragma journal_mode = {journal_mode}").fetchall()
        holder.execute("begin immediate")
        release = Timer(0.05, holder.execute, ["commit"])
        release.start()
        try:
            assert asyncio.run(migrate_store(f"sqlite:///{path}")) == (0, NEWEST)
        finally:
            release.join()


def test_a_store_of_a_newer_version_is_refused_by_everyone_and_stays_as_it_is(url: str, path: Path) -> None:
    execute(path, "update schema_version set version = 99, oldest_compatible = 98")
    for refusing in (open_store, migrate_store):
        with pytest.raises(SchemaTooNewError) as refused:
            asyncio.run(refusing(url))
        assert str(refused.value) == (
            f"{url} has schema version 99, this upspace knows versions up to {NEWEST}: use a newer upspace"
        )
    with closing(apsw.Connection(str(path))) as db:
        assert list(db.execute("select * from schema_version")) == [(99, 98)]


def test_a_newer_store_that_this_version_can_still_work_with_is_accepted(url: str, path: Path) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.execute("update schema_version set version = 99, oldest_compatible = ?", (NEWEST,))
    with opened(url) as store:
        asyncio.run(store.load([profile(1)], []))
        assert asyncio.run(store.profile(1)) == profile(1)
    assert asyncio.run(migrate_store(url)) == (99, 99)


def test_a_store_of_an_older_version_is_refused_with_the_command_that_helps(url: str, path: Path) -> None:
    execute(path, "update schema_version set version = 0, oldest_compatible = 0")
    with pytest.raises(SchemaTooOldError, match=f"run upspace migrate --store {url}$"):
        asyncio.run(open_store(url))


def test_a_store_that_is_migrated_away_under_an_open_one_takes_no_more_writes(url: str, path: Path) -> None:
    with opened(url) as store:
        execute(path, "update schema_version set version = 99, oldest_compatible = 99")
        with pytest.raises(SchemaTooNewError):
            asyncio.run(store.load([profile(1)], []))
