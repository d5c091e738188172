"""Connections to a SQLite file and locks on it: given back, waited for in time, and let go by a process that dies."""

import asyncio
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from shown_accounts import seen_account
from sqlite_files import execute, migrated, opened
from store_oracle import profile

from upspace.model import Token
from upspace.store import migrate_store, open_store
from upspace.store.interface import SchemaTooNewError, StoreTimeoutError, StoreUnavailableError
from upspace.store.sqlite import connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store file shall be."""
    return tmp_path / "store.db"


@pytest.fixture
def url(path: Path) -> str:
    """A store that holds nothing."""
    return migrated(path)


def connections_to(path: Path) -> int:
    """How many connections to a file are open in this process."""
    return sum(db.filename == str(path) for db in apsw.connections() if isinstance(db, apsw.Connection))


def test_closing_gives_back_every_connection(url: str, path: Path) -> None:
    with opened(url) as store:
        asyncio.run(store.load([profile(1)], []))
        asyncio.run(store.account(1))
        assert connections_to(path) == 2
    assert connections_to(path) == 0


def test_an_open_that_fails_leaves_no_connection(url: str, path: Path) -> None:
    execute(path, "update schema_version set version = 99, oldest_compatible = 99")
    for refusing in (open_store, migrate_store):
        with pytest.raises(SchemaTooNewError):
            asyncio.run(refusing(url))
    assert connections_to(path) == 0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for as good as not at all."""
    monkeypatch.setattr(connection, "_BUSY_TIMEOUT_MS", 10)
    monkeypatch.setattr(connection, "_MIGRATION_TIMEOUT_MS", 10)
    monkeypatch.setattr(connection, "LOCK_TIMEOUT_S", 0.02)


def test_a_write_that_gets_no_lock_times_out_and_reads_go_on(url: str, path: Path, impatient: None) -> None:
    with opened(url) as store, closing(apsw.Connection(str(path))) as holder:
        asyncio.run(store.load([profile(1)], []))
        holder.execute("begin immediate")
        token = Token(b"x" * 32, 1, 1)
        for write in (
            lambda: store.load([profile(2)], []),
            lambda: store.change_account(1, lambda _: profile(1, "new")),
            lambda: store.delete_account(1, 5),
            lambda: store.put_token(token),
            lambda: store.revoke_tokens(5, mid=1),
        ):
            with pytest.raises(StoreTimeoutError) as refused:
                asyncio.run(write())
            assert str(refused.value) == f"{url}: a lock was not to be had in time"
        assert asyncio.run(store.profile(1)) == profile(1)
        holder.execute("rollback")
        asyncio.run(store.load([profile(2)], []))
        assert asyncio.run(store.account(2)) is not None


def test_a_migration_that_gets_no_lock_times_out(url: str, path: Path, impatient: None) -> None:
    with closing(apsw.Connection(str(path))) as holder:
        holder.execute("begin immediate")
        with pytest.raises(StoreTimeoutError):
            asyncio.run(migrate_store(url))


def test_a_file_that_someone_has_to_himself_is_not_opened_in_time(url: str, path: Path, impatient: None) -> None:
    with closing(apsw.Connection(str(path))) as holder:
        holder.execute("pragma locking_mode = exclusive").fetchall()
        holder.execute("begin immediate; commit")
        with pytest.raises(StoreTimeoutError):
            asyncio.run(open_store(url))


def test_a_store_that_is_gone_from_its_file_is_unavailable(url: str, path: Path) -> None:
    with opened(url) as store:
        execute(path, "drop table standing")
        with pytest.raises(StoreUnavailableError, match="standing"):
            asyncio.run(store.standing(1))


KILLED = """
import asyncio, os, sys
from upspace.model import Account, Profile, Standing
from upspace.store import open_store

def profiles():
    for mid in range(1, 5000):
        yield Profile(Account(mid, name="late"), Standing(mid))
    os._exit(9)

async def load():
    store = await open_store(sys.argv[1])
    await store.load(profiles(), [], {"loaded": "yes"})

asyncio.run(load())
"""


def test_a_process_that_dies_in_a_load_leaves_nothing_of_it(url: str) -> None:
    with opened(url) as store:
        asyncio.run(store.load([profile(1, "early")], []))
        assert subprocess.run([sys.executable, "-c", KILLED, url], check=False).returncode == 9
        assert asyncio.run(store.accounts(range(1, 5000))) == {1: seen_account(profile(1, "early"))}
        assert asyncio.run(store.mark("loaded")) is None
        asyncio.run(store.load([profile(2)], []))
        assert asyncio.run(store.account(2)) is not None
