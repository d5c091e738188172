"""Reads of one turn of the event loop: one snapshot for all of them, and none that misses what was acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import apsw
import pytest
from statements import statements_seen
from store_oracle import follow, profile, token

from upspace.model import Change, Standing, Window
from upspace.store import migrate_store
from upspace.store.interface import StoreUnavailableError
from upspace.store.sqlite.store import SqliteStore

P = ParamSpec("P")

FIRST_PAGE = Window(start=0, size=20)


@asynccontextmanager
async def two_stores(folder: Path) -> AsyncIterator[tuple[SqliteStore, SqliteStore]]:
    """Two stores of one file, as two processes have it: accounts 1 to 3, of whom 2 follows 1."""
    url = f"sqlite:///{folder / 'store.db'}"
    await migrate_store(url)
    one, other = SqliteStore.open(url), SqliteStore.open(url)
    try:
        await one.load(map(profile, (1, 2, 3)), [follow(2, 1, 5)])
        yield one, other
    finally:
        await one.close()
        await other.close()


async def name_of(store: SqliteStore, mid: int) -> str:
    """The name of an account."""
    return (await store.accounts((mid,)))[mid].account.name


async def turn() -> None:
    """Let the loop do what it has been told."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def in_a_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """The test as a plain function: each runs in an event loop of its own, whose turns are what it is about."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        failed: list[object] = []

        async def go() -> None:
            # What a callback of the loop raises reaches nobody else.
            asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
            await test(*args, **kwargs)
            await turn()

        asyncio.run(go())
        assert failed == []

    return run


@in_a_loop
async def test_reads_of_one_turn_share_a_snapshot_and_the_number_of_the_newest_change(tmp_path: Path) -> None:
    async with two_stores(tmp_path) as (store, _):
        await turn()
        with statements_seen(store) as seen:
            pages = await asyncio.gather(*(store.followers(mid, FIRST_PAGE) for mid in (1, 2, 3)))
            await turn()
        assert [page.mids for page in pages] == [[2], [], []]
        assert len({page.newest_change for page in pages}) == 1
        assert (seen[0], seen[-1], seen.count("begin"), seen.count("commit")) == ("begin", "commit", 1, 1)
        assert sum("account_change" in sql for sql in seen) == 1


@in_a_loop
async def test_reads_of_another_turn_see_what_was_written_meanwhile(tmp_path: Path) -> None:
    async with two_stores(tmp_path) as (store, other):
        await turn()
        before = await store.newest_change()
        await other.change_account(2, lambda _: profile(2, "renamed"))
        assert (await name_of(store, 2), await store.newest_change()) == ("renamed", before + 1)


@in_a_loop
async def test_the_version_is_that_of_the_snapshot_and_another_one_after_any_commit(tmp_path: Path) -> None:
    async with two_stores(tmp_path) as (store, other):
        for write in (
            lambda: store.change_account(2, lambda _: profile(2, "renamed")),
            lambda: other.change_account(2, lambda _: profile(2, "renamed")),
            lambda: other.put_token(token("a", 1)),
            lambda: other.change_relations(1, [2], lambda pair: Change(follow(1, 2), pair.backward)),
            lambda: other.delete_account(2, 9),
        ):
            await turn()
            before = await store.version()
            assert before is not None
            await turn()
            assert await store.version() == before
            await write()
            assert await store.version() != before
        # Within a turn all reads are of one version.
        await turn()
        before, name = await store.version(), await name_of(store, 1)
        with closing(apsw.Connection(str(tmp_path / "store.db"))) as stranger:
            stranger.execute("update account set name = 'by a stranger' where mid = 1")
        assert (await store.version(), await name_of(store, 1)) == (before, name)
        await turn()
        assert await name_of(store, 1) == "by a stranger"
        assert await store.version() != before


WRITES: dict[str, Callable[[SqliteStore], Awaitable[object]]] = {
    "change_account": lambda store: store.change_account(2, lambda _: profile(2, "renamed")),
    "delete_account": lambda store: store.delete_account(2, 9),
    "load": lambda store: store.load([profile(2, "renamed")], []),
}


@pytest.mark.parametrize(
    ("write", "through_the_same"),
    # A load blocks the loop, and ends the snapshot of its own store.
    [(write, same) for write in WRITES for same in (True, False) if same or write != "load"],
)
@in_a_loop
async def test_nobody_reads_a_snapshot_from_before_a_write_that_they_waited_for(
    tmp_path: Path, write: str, through_the_same: bool
) -> None:
    async with two_stores(tmp_path) as (store, other):
        # What came before them in the same turn has opened a snapshot.
        assert await name_of(store, 2) == "name 2"
        with statements_seen(store) as seen:
            await WRITES[write](store if through_the_same else other)
            shown = await store.accounts((2,))
        assert [account.account.name for account in shown.values()] == ([] if "delete" in write else ["renamed"])
        assert seen.index("commit") < seen.index("begin")  # the snapshot before it, and the one after


@in_a_loop
async def test_a_store_that_is_closed_in_the_turn_of_a_read_is_closed(tmp_path: Path) -> None:
    async with two_stores(tmp_path) as (store, _):
        await store.newest_change()
        await store.close()
        with pytest.raises(StoreUnavailableError):
            await store.newest_change()
        await turn()
        await store.close()


@in_a_loop
async def test_a_turn_in_which_the_disk_fails_is_followed_by_one_that_reads(tmp_path: Path) -> None:
    async with two_stores(tmp_path) as (store, _):
        await store.newest_change()
        # SQLite ends the transaction by itself where a page cannot be read.
        store._reader.execute("rollback")
        assert await name_of(store, 1) == "name 1"
        await turn()
        assert await name_of(store, 2) == "name 2"
        await turn()
        assert not store._reader.in_transaction


@in_a_loop
async def test_what_is_mended_is_read_mended(tmp_path: Path) -> None:
    async with two_stores(tmp_path) as (store, other):
        await other.change_account(1, lambda _: profile(1, standing=Standing(1)))
        with closing(apsw.Connection(store.url.removeprefix("sqlite:///"))) as file:
            file.execute("update standing set follower = 77 where mid = 1")
        await turn()
        wrong = await store.counters(1)
        async for _ in store.check(repair=True):
            mended = await store.counters(1)
        assert (wrong and wrong.follower, mended and mended.follower) == (77, 1)


def test_a_snapshot_of_one_event_loop_is_not_read_in_the_next(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    asyncio.run(migrate_store(url))
    store = SqliteStore.open(url)
    asyncio.run(store.load([profile(2)], []))
    assert asyncio.run(name_of(store, 2)) == "name 2"
    other = SqliteStore.open(url)
    asyncio.run(other.change_account(2, lambda _: profile(2, "renamed")))
    assert asyncio.run(name_of(store, 2)) == "renamed"
    asyncio.run(other.close())
    asyncio.run(store.close())


@in_a_loop
async def test_a_store_in_memory_reads_what_was_just_written(tmp_path: Path) -> None:
    store = SqliteStore.open("sqlite://")
    await store.load([profile(1)], [])
    before = await store.newest_change()
    await store.change_account(1, lambda _: profile(1, "renamed"))
    assert (await name_of(store, 1), await store.newest_change()) == ("renamed", before + 1)
    assert not store._reader.in_transaction
    await store.close()
