"""What is true of the SQLite engine alone: its plans, files, locks, and how many statements a page costs."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier, Timer
from typing import Any

import apsw
import pytest
from every_read import use_every_read
from msgspec.structs import replace
from statements import statements_seen
from store_oracle import SPECIAL, follow, profile, seen_account

from upspace.model import Profile, Token, Upstat
from upspace.server.app import App, build_app
from upspace.server.http import Request
from upspace.server.settings import build_settings
from upspace.server.viewer import token_digest
from upspace.store import migrate_store, open_store
from upspace.store.interface import (
    SchemaTooNewError,
    SchemaTooOldError,
    StoreMissingError,
    StoreTimeoutError,
    StoreUnavailableError,
)
from upspace.store.queries import read_queries
from upspace.store.sqlite import changes, connection, relations
from upspace.store.sqlite.store import SqliteStore

QUERIES = read_queries("upspace.store.sqlite")
NEWEST = len(list((Path(connection.__file__).parent / "migrations").glob("*.sql")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store file shall be."""
    return tmp_path / "store.db"


@pytest.fixture
def url(path: Path) -> str:
    """The URL of a store that has been migrated and holds nothing."""
    url = f"sqlite:///{path}"
    asyncio.run(migrate_store(url))
    return url


@contextmanager
def opened(url: str) -> Iterator[SqliteStore]:
    """The store at a URL, closed in the end."""
    store = SqliteStore.open(url)
    try:
        yield store
    finally:
        asyncio.run(store.close())


def execute(path: Path, sql: str) -> None:
    """Run statements on a file, behind the back of every store."""
    with closing(apsw.Connection(str(path))) as db:
        db.execute(sql)


# Queries


# Special accounts first is an order that no index has; what is searched for and what is counted is gathered first.
SORTED_APART = (
    "followings_special_desc",
    "followings_special_asc",
    "group_members_special",
    "search_followings",
    "group_counts",
)


@pytest.mark.parametrize("name", QUERIES)
def test_each_query_finds_its_rows_through_an_index(name: str, url: str) -> None:
    with opened(url) as store:
        db = store._reader
        named = dict.fromkeys(re.findall(r":(\w+)", QUERIES[name]))
        bindings = named or (None,) * QUERIES[name].count("?")
        plan = [row[3] for row in db.execute("explain query plan " + QUERIES[name], bindings)]
        tables = [row[0] for row in db.execute("select name from sqlite_schema where type = 'table'")]
    assert plan
    scanned = [line for line in plan if line.split()[0] == "SCAN" and line.split()[1] in tables]
    sorted_apart = [line for line in plan if "TEMP B-TREE" in line]
    # All tokens are wanted, in the order of their index; special accounts first is an order no index has.
    assert scanned == (["SCAN token USING INDEX token_of"] if name == "tokens" else [])
    assert len(sorted_apart) == (name in SORTED_APART)


def test_a_query_without_an_index_would_be_noticed(url: str) -> None:
    with opened(url) as store:
        (row,) = store._reader.execute("explain query plan select * from account where name = ?", ("n",))
    assert row[3].split()[:2] == ["SCAN", "account"]


class Recorded(dict[str, str]):
    """The statements of a store, and the names of those that were asked for."""

    def __init__(self, queries: dict[str, str]) -> None:
        super().__init__(queries)
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.used.add(name)
        return super().__getitem__(name)


async def use_everything(store: SqliteStore) -> None:
    """Call every read of the interface, and the changes that read before they write."""
    await store.change_account(1, lambda _: profile(1))
    await use_every_read(store)
    await store.load(map(profile, range(1, 3000)), [])
    await store.changed_accounts(0)


def used_queries() -> set[str]:
    """The names of the queries that a store executes."""
    recorded = Recorded(QUERIES)
    with opened("sqlite://") as store, pytest.MonkeyPatch.context() as patched:
        patched.setattr(relations, "QUERIES", recorded)
        asyncio.run(use_everything(store))
    return recorded.used


def test_no_query_is_missing() -> None:
    assert used_queries() - set(QUERIES) == set()
    assert "followers_desc" in used_queries()


def test_no_query_is_there_for_nothing() -> None:
    assert set(QUERIES) - used_queries() == set()


# Migrations


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


@pytest.mark.parametrize("name", ["a b.db", "what?.db", "100%.db", "%41.db", "#1.db", "名.db", "a:b.db", "file:x"])
def test_a_url_means_the_file_it_spells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(migrate_store(f"sqlite:///{name}"))
    assert (tmp_path / name).is_file()
    with opened(f"sqlite:///{name}") as store:
        assert asyncio.run(store.account(1)) is None


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


# What is no store


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


# What a deletion leaves


def test_of_a_deleted_account_no_row_is_left_but_its_state_and_what_others_hold(url: str, path: Path) -> None:
    with opened(url) as store:
        rows = [follow(1, 2, 5, SPECIAL, 3), follow(2, 1, 6, 4)]
        asyncio.run(store.load(map(profile, (1, 2)), rows))
        asyncio.run(store.delete_account(1, 9))
    with closing(apsw.Connection(str(path))) as db:
        owned = {table: db.execute(f"select owner, other from {table}").get for table in ("relation", "grouped")}  # noqa: S608  # names of ours
        assert owned == {"relation": (2, 1), "grouped": (2, 1)}
        assert db.execute("select count(*) from follower").get == 0
        assert db.execute("select mid from account").get == db.execute("select mid from upstat").get == 2


# Connections and locks


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


def test_changes_by_several_at_once_are_all_kept(url: str) -> None:
    barrier = Barrier(3)

    def one_like_more(current: Profile | None) -> Profile:
        assert current is not None
        return replace(current, upstat=Upstat(likes=current.upstat.likes + 1))

    def like(_: int) -> None:
        with opened(url) as store:
            barrier.wait()
            for _ in range(20):
                asyncio.run(store.change_account(1, one_like_more))

    with opened(url) as store:
        asyncio.run(store.load([profile(1)], []))
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(like, range(3)))
        assert asyncio.run(store.upstat(1)) == Upstat(likes=60)


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


# Changes by others are seen at once


WRITING = """
import asyncio, sys
from upspace.model import Account, Profile, Standing
from upspace.store import open_store

async def rename():
    store = await open_store(sys.argv[1])
    await store.change_account(2, lambda found: Profile(Account(2, name=sys.argv[2]), found.standing))
    await store.close()

asyncio.run(rename())
"""


def app_of(store: SqliteStore, profile_name: str = "seed") -> App:
    return build_app(store, build_settings({"store": store.url, "profile": profile_name}))


async def get(app: App, endpoint: str, query: str, token: str = "") -> dict[str, Any]:
    """The envelope of one request."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    reply = await app.respond(Request("GET", endpoint, query, headers.get))
    envelope = json.loads(reply.body)
    assert isinstance(envelope, dict)
    return envelope


def names(app: App, vmid: int = 1) -> list[str]:
    """The names on the first page of the followers of an account."""
    envelope = asyncio.run(get(app, "/x/relation/followers", f"vmid={vmid}&ps=50"))
    return [item["uname"] for item in envelope["data"]["list"]]


@pytest.fixture
def shared(url: str) -> Iterator[tuple[App, SqliteStore]]:
    """An app whose page of the followers of account 1, namely 2 and 3, is in its cache; a second store on its file."""
    with opened(url) as store, opened(url) as second:
        asyncio.run(store.load(map(profile, (1, 2, 3)), [follow(2, 1, 6), follow(3, 1, 5)]))
        app = app_of(store)
        assert names(app) == ["name 2", "name 3"]
        assert names(app) == ["name 2", "name 3"]
        yield app, second


def test_a_name_changed_through_another_store_is_on_the_next_page(shared: tuple[App, SqliteStore]) -> None:
    app, second = shared
    for name in ("new", "newer"):
        asyncio.run(second.change_account(2, lambda _, name=name: profile(2, name)))  # type: ignore[misc]  # a default binds the value
        assert names(app) == [name, "name 3"]


def test_a_name_changed_by_another_process_is_on_the_next_page(shared: tuple[App, SqliteStore], url: str) -> None:
    app, _ = shared
    subprocess.run([sys.executable, "-c", WRITING, url, "from afar"], check=True)
    assert names(app) == ["from afar", "name 3"]


def test_a_load_of_thousands_of_accounts_is_on_the_next_page(shared: tuple[App, SqliteStore]) -> None:
    app, second = shared
    many = [profile(mid, f"new {mid}") for mid in range(1, 5001)]
    asyncio.run(second.load(many, [follow(mid, 1, 7) for mid in range(4, 5000)]))
    assert names(app)[:2] == ["new 4999", "new 4998"]
    assert names(app, 1) == [f"new {mid}" for mid in range(4999, 4949, -1)]
    asyncio.run(second.load([profile(4999, "again")], []))
    assert names(app)[:2] == ["again", "new 4998"]


def test_an_account_deleted_through_another_store_is_gone_from_the_next_page(shared: tuple[App, SqliteStore]) -> None:
    app, second = shared
    asyncio.run(second.delete_account(3, 5))
    assert names(app) == ["name 2"]
    asyncio.run(second.load([profile(4)], [follow(1, 2, 9), follow(4, 1, 9)]))
    assert names(app, 2) == ["name 1"]
    assert names(app) == ["name 4", "name 2"]
    asyncio.run(second.delete_account(1, 6))
    assert names(app) == []
    followings = asyncio.run(get(app, "/x/relation/followings", "vmid=4"))["data"]
    assert [(item["mid"], item["uname"]) for item in followings["list"]] == [(1, "账号已注销")]


def test_a_relation_and_its_counter_are_on_the_next_page(shared: tuple[App, SqliteStore]) -> None:
    app, second = shared
    asyncio.run(second.load([profile(4)], [follow(4, 1, 9)]))
    data = asyncio.run(get(app, "/x/relation/followers", "vmid=1"))["data"]
    assert ([item["mid"] for item in data["list"]], data["total"]) == ([4, 2, 3], 3)


@pytest.mark.parametrize("writes", [1, 4, 5, 6, 7, 20])
def test_whoever_was_away_while_changes_were_forgotten_forgets_all_it_kept(
    shared: tuple[App, SqliteStore], monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    app, second = shared
    monkeypatch.setattr(changes, "_CHANGES_KEPT", 5)
    asyncio.run(second.change_account(2, lambda _: profile(2, "new")))
    for number in range(writes - 1):
        asyncio.run(second.change_account(3, lambda _, number=number: profile(3, f"write {number}")))  # type: ignore[misc]  # a default binds the value
    assert names(app) == ["new", "name 3" if writes == 1 else f"write {writes - 2}"]


def test_changes_are_forgotten_beyond_what_is_kept(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_CHANGES_KEPT", 5)
    with opened(url) as store:
        for mid in range(1, 21):
            asyncio.run(store.load([profile(mid)], []))
        newest, mids = asyncio.run(store.changed_accounts(0))
        assert mids is None
        assert asyncio.run(store.changed_accounts(newest - 5)) == (newest, [16, 17, 18, 19, 20])
        assert asyncio.run(store.changed_accounts(newest - 6)) == (newest, None)


# What a page costs


@pytest.fixture
def popular(url: str) -> Iterator[SqliteStore]:
    """Account 1 has 60 followers, follows them, and is followed by the viewers 1, 2 and 100."""
    with opened(url) as store:
        others = range(2, 62)
        rows = [follow(mid, 1, 100 + mid) for mid in others] + [follow(1, mid, 200 + mid, SPECIAL) for mid in others]
        rows += [follow(100, mid, 5) for mid in range(2, 40)]
        asyncio.run(store.load(map(profile, [*range(1, 62), 100]), rows))
        for mid in (1, 100):
            asyncio.run(store.put_token(Token(token_digest(f"token of {mid}"), mid, 1)))
        yield store


def traced(store: SqliteStore, app: App, endpoint: str, query: str, token: str) -> tuple[int, Any]:
    """How many statements a request costs on the store's reader, beside those of its snapshot, and what it is told."""
    with statements_seen(store) as seen:
        envelope = asyncio.run(get(app, endpoint, query, token))
    return len([sql for sql in seen if sql not in ("begin", "commit")]), envelope["data"]


def statements_of(store: SqliteStore, app: App, endpoint: str, query: str, token: str) -> tuple[int, int]:
    """How many statements a request costs on the store's reader, and how many rows its page has."""
    count, data = traced(store, app, endpoint, query, token)
    return count, len(data["list"])


@pytest.mark.parametrize(
    ("profile_name", "token"),
    [
        ("seed", ""),
        ("seed", "token of nobody"),
        ("seed", "token of 1"),
        ("seed", "token of 100"),
        ("recent", "token of 1"),
        ("recent", "token of 100"),
    ],
)
@pytest.mark.parametrize(
    ("endpoint", "query"),
    [
        ("/x/relation/followers", "vmid=1"),
        ("/x/relation/followers", "vmid=1&order=asc"),
        ("/x/relation/followings", "vmid=1"),
        ("/x/relation/followings", "vmid=1&order_type=attention"),
        ("/x/relation/fans", "vmid=1"),
        ("/x/relation/fans", "vmid=1&offset=161:61"),
    ],
)
def test_a_page_of_50_costs_as_many_statements_as_a_page_of_1(
    popular: SqliteStore, profile_name: str, token: str, endpoint: str, query: str
) -> None:
    # Each request meets an app that has nothing in its cache.
    one, rows_of_one = statements_of(popular, app_of(popular, profile_name), endpoint, query + "&ps=1", token)
    fifty, rows_of_fifty = statements_of(popular, app_of(popular, profile_name), endpoint, query + "&ps=50", token)
    assert (rows_of_one, rows_of_fifty) == (1, 50)
    assert fifty == one <= 7


def test_a_page_of_accounts_that_are_known_already_reads_no_account(popular: SqliteStore) -> None:
    app = app_of(popular)
    cold, _ = statements_of(popular, app, "/x/relation/followers", "vmid=1&ps=50", "")
    warm, _ = statements_of(popular, app, "/x/relation/followers", "vmid=1&ps=50", "")
    # A page, and the number of the newest change. The first asks what has changed as well, and for the accounts.
    assert (cold, warm) == (4, 2)


@pytest.mark.parametrize("profile_name", ["seed", "recent"])
@pytest.mark.parametrize(
    ("endpoint", "query", "token", "first", "then"),
    [
        ("/x/relation/stat", "vmid=2", "", 1, 1),
        ("/x/space/acc/info", "mid=2", "", 3, 1),
        ("/x/web-interface/card", "mid=2", "", 4, 2),
        # Two more: who the viewer is, and what it has to do with the account.
        ("/x/space/acc/info", "mid=2", "token of 100", 5, 3),
        ("/x/web-interface/card", "mid=2&photo=1", "token of 100", 6, 4),
        # To itself an account shows what is not kept: who it is, and all that is stored of it.
        ("/x/space/acc/info", "mid=100", "token of 100", 2, 2),
        ("/x/space/myinfo", "", "token of 100", 2, 2),
    ],
)
def test_a_reply_about_an_account_that_is_known_already_does_not_read_it(
    popular: SqliteStore, profile_name: str, endpoint: str, query: str, token: str, first: int, then: int
) -> None:
    app = app_of(popular, profile_name)
    cold, told = traced(popular, app, endpoint, query, token)
    assert traced(popular, app, endpoint, query, token) == (then, told)
    assert cold == first


def test_a_list_and_a_card_share_what_is_known(popular: SqliteStore) -> None:
    app = app_of(popular)
    statements_of(popular, app, "/x/relation/followers", "vmid=1&ps=50", "")
    statements, told = traced(popular, app, "/x/web-interface/card", "mid=61", "")
    assert (statements, told["card"]["name"]) == (2, "name 61")


def test_an_empty_page_of_a_viewer_is_answered(popular: SqliteStore) -> None:
    envelope = asyncio.run(get(app_of(popular), "/x/relation/followers", "vmid=100", "token of 1"))
    assert envelope == {"code": 0, "message": "0", "ttl": 1, "data": {"list": [], "re_version": 0, "total": 0}}
