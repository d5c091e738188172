"""What a URL of SQLite means: the file that it spells, a store in memory, or no store, which is said in one line."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from sqlite_files import execute, opened
from store_oracle import profile

from upspace.store import migrate_store, open_store
from upspace.store.interface import StoreMissingError, StoreUnavailableError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store file shall be."""
    return tmp_path / "store.db"


@pytest.mark.parametrize("name", ["a b.db", "what?.db", "100%.db", "%41.db", "#1.db", "名.db", "a:b.db", "file:x"])
def test_a_url_means_the_file_it_spells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(migrate_store(f"sqlite:///{name}"))
    assert (tmp_path / name).is_file()
    with opened(f"sqlite:///{name}") as store:
        assert asyncio.run(store.account(1)) is None


def nothing(path: Path) -> None:
    pass


def folder(path: Path) -> None:
    path.mkdir()


def text(path: Path) -> None:
    path.write_text("this is no database\n" * 500)


def short_text(path: Path) -> None:
    path.write_text("hi\n")


def empty_file(path: Path) -> None:
    path.touch()


def database(sql: str) -> Callable[[Path], None]:
    return lambda path: execute(path, sql)


NO_STORE = {
    "nothing": (nothing, StoreMissingError),
    "a folder": (folder, StoreUnavailableError),
    "a text": (text, StoreUnavailableError),
    "a short text": (short_text, StoreUnavailableError),
    "an empty file": (empty_file, StoreMissingError),
    "another database": (database("create table t (a)"), StoreMissingError),
    "another database with an account table": (database("create table account (a)"), StoreMissingError),
    "another database with a version of its own": (
        database("create table schema_version (v text); insert into schema_version values ('x')"),
        StoreUnavailableError,
    ),
    "a version table without a row": (
        database("create table schema_version (version integer, oldest_compatible integer)"),
        StoreUnavailableError,
    ),
}


@pytest.mark.parametrize("case", NO_STORE)
def test_what_is_no_store_is_not_opened_and_said_in_one_line(path: Path, case: str) -> None:
    make, expected = NO_STORE[case]
    make(path)
    url = f"sqlite:///{path}"
    with pytest.raises(expected) as refused:
        asyncio.run(open_store(url))
    assert url in str(refused.value)
    assert "\n" not in str(refused.value)
    if expected is StoreMissingError:
        assert str(refused.value).endswith(f"upspace migrate --store {url}")


def test_a_database_whose_version_is_no_number_is_not_opened(path: Path) -> None:
    execute(path, "create table schema_version (version, oldest_compatible)")
    execute(path, "insert into schema_version values ('one', 'one')")
    with pytest.raises(StoreUnavailableError):
        asyncio.run(open_store(f"sqlite:///{path}"))


def test_a_name_that_no_file_can_have_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        asyncio.run(open_store(f"sqlite:///{tmp_path}/{'x' * 300}"))


@pytest.mark.parametrize("make", [folder, text, short_text])
def test_what_cannot_become_a_store_is_not_migrated_and_said_in_one_line(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path)
    with pytest.raises(StoreUnavailableError) as refused:
        asyncio.run(migrate_store(f"sqlite:///{path}"))
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_database_whose_tables_are_in_the_way_is_not_migrated_and_keeps_them(path: Path) -> None:
    execute(path, "create table account (a); insert into account values (5)")
    with pytest.raises(StoreUnavailableError):
        asyncio.run(migrate_store(f"sqlite:///{path}"))
    with closing(apsw.Connection(str(path))) as db:
        assert [row[0] for row in db.execute("select name from sqlite_schema")] == ["account"]
        assert list(db.execute("select a from account")) == [(5,)]


def test_no_file_is_made_where_there_is_no_folder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/no/store.db"
    with pytest.raises(StoreUnavailableError, match="no folder"):
        asyncio.run(migrate_store(url))
    with pytest.raises(StoreMissingError):
        asyncio.run(open_store(url))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["", "sqlite", "sqlite:", "sqlite:/", "sqlite:///", "sqlite:x.db", "sqlite://x.db", "x://"]
)
def test_a_url_that_means_nothing_is_refused_with_those_that_do(url: str) -> None:
    for refusing in (open_store, migrate_store):
        with pytest.raises(StoreUnavailableError, match=r"use sqlite:///path(,| or) sqlite://"):
            asyncio.run(refusing(url))


def test_a_store_in_memory_needs_no_migration_and_gets_none() -> None:
    with pytest.raises(StoreUnavailableError, match="nothing to migrate"):
        asyncio.run(migrate_store("sqlite://"))


def test_stores_in_memory_have_nothing_in_common() -> None:
    with opened("sqlite://") as one, opened("sqlite://") as other:
        asyncio.run(one.load([profile(1)], []))
        assert asyncio.run(other.account(1)) is None
