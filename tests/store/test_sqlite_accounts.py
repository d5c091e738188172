"""Changes of accounts on SQLite: by several at once, seen by all who share the file, and what a deletion leaves."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import apsw
import pytest
from msgspec.structs import replace
from sqlite_files import migrated, opened
from statements import statements_seen
from store_app import app_of, get
from store_oracle import SPECIAL, follow, profile

from upspace.model import Profile, Upstat
from upspace.server.app import App
from upspace.store.sqlite import changes
from upspace.store.sqlite.changes import note_owners_txn
from upspace.store.sqlite.store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store file shall be."""
    return tmp_path / "store.db"


@pytest.fixture
def url(path: Path) -> str:
    """A store that holds nothing."""
    return migrated(path)


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


def test_a_list_or_card_that_was_shown_is_not_read_again_until_it_is_written(url: str) -> None:
    with opened(url) as store, opened(url) as other:
        app = app_of(store)

        async def shown(path: str, token: str = "") -> list[str]:
            with statements_seen(store) as seen:
                assert (await get(app, path, "vmid=1&mid=1", token))["code"] == 0
                # The turn of the loop ends, and its snapshot.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            return [statement for statement in seen if statement not in ("begin", "commit")]

        async def look() -> None:
            await store.load(map(profile, (1, 2, 3)), [follow(1, 2), follow(2, 1)])
            lists = ("/x/relation/followers", "/x/relation/followings", "/x/relation/fans")
            for path in (*lists, "/x/web-interface/card"):
                assert len(await shown(path)) > 1
                assert await shown(path) == await shown(path) == ["pragma data_version"]
                # Whoever is not shown may be written: who that was is asked once.
                await other.change_account(3, lambda _: profile(3, "renamed"))
                assert len(await shown(path)) == 3
                assert await shown(path) == ["pragma data_version"]
                await other.change_account(1, lambda _: profile(1, "renamed"))
                assert len(await shown(path)) > 3
                # Whose credential is none of ours is anybody.
                assert len(await shown(path, "nobody")) == 2

        asyncio.run(look())


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


def test_of_commits_that_are_too_many_or_gone_it_is_not_known_whom_they_concern(url: str, path: Path) -> None:
    with opened(url) as store, closing(apsw.Connection(str(path))) as db:
        asyncio.run(store.load([profile(1)], []))

        def commit(count: int, owners: Sequence[int]) -> None:
            with db:
                for _ in range(count):
                    note_owners_txn(db, owners)

        def named_since(number: int) -> tuple[int, Sequence[int] | None]:
            return asyncio.run(store.changed_owners(number))

        seen, _ = named_since(0)
        commit(1_000, [5])
        assert named_since(seen) == (seen + 1_000, [5] * 1_000)
        commit(1, [6])
        assert named_since(seen) == (seen + 1_001, None)
        assert named_since(seen + 1) == (seen + 1_001, [5] * 999 + [6])
        commit(130, range(1_000_000, 1_001_000))
        assert named_since(seen + 1_001) == (seen + 1_131, None)
        # The file is put back to what it was.
        db.execute("delete from owner_change where number > ?", (seen + 1_001,))
        assert named_since(seen + 1_131) == (seen + 1_001, None)
        assert named_since(seen + 1_001) == (seen + 1_001, ())
