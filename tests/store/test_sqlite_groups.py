"""What is committed together on SQLite: each write by itself, however many there are and whatever one of them does."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from msgspec.structs import replace
from store_oracle import follow, profile, reported, token

from upspace.model import Change, Pair, Profile, Standing, Window
from upspace.store import migrate_store
from upspace.store.interface import AccountDeletedError, Finding, StoreUnavailableError
from upspace.store.sqlite.store import SqliteStore
from upspace.store.sqlite.writer import WorkJob


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody else can write to the file meanwhile, so that all that is asked for becomes one group."""
    db = apsw.Connection(str(path))
    db.execute("begin immediate")
    try:
        yield
    finally:
        db.execute("commit")
        db.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with the accounts 1 to 5 and the deleted account 9; 1 and 2 follow 3."""
    path = tmp_path / "store.db"
    url = f"sqlite:///{path}"

    async def fill() -> None:
        await migrate_store(url)
        store = SqliteStore.open(url)
        await store.load(map(profile, (1, 2, 3, 4, 5, 9)), [follow(1, 3, 5), follow(2, 3, 5)])
        await store.delete_account(9, 1)
        await store.close()

    asyncio.run(fill())
    return path


async def in_one_group(path: Path, store: SqliteStore, *writes: Coroutine[Any, Any, Any]) -> list[Any]:
    """What comes of writes that are committed together: values, and exceptions."""
    with held(path):
        # A group of its own, which waits for the file while the others come.
        first = asyncio.ensure_future(store.change_account(5, lambda known: profile(5)))
        await asyncio.sleep(0)
        while store._writer._queue.qsize():  # noqa: ASYNC110  # the thread tells nobody that it has taken it
            await asyncio.sleep(0)
        others = [asyncio.ensure_future(write) for write in writes]
        await asyncio.sleep(0)
        assert store._writer._queue.qsize() == len(writes)
    await first
    return await asyncio.gather(*others, return_exceptions=True)


def run(path: Path, test: Callable[[SqliteStore], Coroutine[Any, Any, None]]) -> None:
    """Run a test on the store in an event loop."""

    async def go() -> None:
        store = SqliteStore.open(f"sqlite:///{path}")
        try:
            await test(store)
        finally:
            await store.close()

    asyncio.run(go())


def renamed(name: str) -> Callable[[Profile | None], Profile]:
    """A rule that gives an account that is known another name."""

    def decide(known: Profile | None) -> Profile:
        assert known is not None
        return replace(known, account=replace(known.account, name=name))

    return decide


def longer(known: Profile | None) -> Profile:
    """A rule that adds to a name."""
    assert known is not None
    return replace(known, account=replace(known.account, name=known.account.name + "+"))


def test_each_rule_gets_the_account_as_the_one_before_it_left_it(path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        found = await in_one_group(path, store, *(store.change_account(mid, longer) for mid in (1, 2, 1, 1, 2)))
        assert [of.account.name for of in found] == ["name 1+", "name 2+", "name 1++", "name 1+++", "name 2++"]
        names = {mid: seen.account.name for mid, seen in (await store.accounts((1, 2))).items()}
        assert names == {1: "name 1+++", 2: "name 2++"}

    run(path, test)


def test_a_rule_that_refuses_bothers_none_of_its_neighbours(path: Path) -> None:
    class NoError(Exception):
        pass

    def refuse(known: Profile | None) -> Profile:
        raise NoError

    async def test(store: SqliteStore) -> None:
        before = await store.newest_change()
        found = await in_one_group(
            path,
            store,
            store.change_account(1, renamed("one")),
            store.change_account(2, refuse),
            store.change_account(9, lambda known: profile(9)),
            store.change_account(3, lambda known: profile(4)),
            store.change_account(4, renamed("four")),
        )
        assert [type(of) for of in found] == [Profile, NoError, AccountDeletedError, ValueError, Profile]
        assert set((await store.changed_accounts(before))[1] or ()) == {1, 4}
        assert {seen.account.name for seen in (await store.accounts((1, 2, 3, 4, 9))).values()} == {
            "one",
            "name 2",
            "name 3",
            "four",
        }

    run(path, test)


def test_counters_are_those_that_are_right_after_the_change(path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        found = await in_one_group(
            path,
            store,
            # Derived already: what is given is ignored.
            store.change_account(3, lambda known: profile(3, standing=Standing(3, follower=77))),
            store.change_account(3, lambda known: reported(3, follower=1000)),
            # Derived again: counted anew.
            store.change_account(3, lambda known: profile(3)),
        )
        assert [of.standing.follower for of in found] == [2, 1000, 2]
        counters = await store.counters(3)
        assert counters is not None
        assert counters.follower == 2

    run(path, test)


@pytest.mark.parametrize("error", [ValueError, apsw.ConstraintError])
def test_what_fails_after_it_has_written_leaves_nothing_and_takes_nobody_with_it(
    path: Path, error: type[Exception]
) -> None:
    def fail(db: apsw.Connection) -> None:
        db.execute("insert into mark values ('half', 'done')")
        raise error

    async def test(store: SqliteStore) -> None:
        changed, failed, group_id = await in_one_group(
            path,
            store,
            store.change_account(1, renamed("one")),
            store._writer.run(WorkJob(fail)),
            store.create_group(2, lambda groups: "friends"),
        )
        assert changed.account.name == "one"
        assert isinstance(failed, StoreUnavailableError if error is apsw.ConstraintError else ValueError)
        assert [group.id for group in await store.groups(2)] == [group_id]
        assert await store.mark("half") is None

    run(path, test)


def test_in_a_group_of_all_kinds_each_write_has_its_effect(path: Path) -> None:
    def act_follow(pair: Pair) -> Change:
        return Change(follow(pair.mid, pair.fid, 7), pair.backward)

    async def test(store: SqliteStore) -> None:
        refused, changed, group_id, gone, added = await in_one_group(
            path,
            store,
            store.change_relations(4, (1,), act_follow),
            store.change_account(1, renamed("one")),
            store.create_group(4, lambda groups: "friends"),
            store.delete_account(3, 9),
            store.change_account(6, lambda known: profile(6)),
        )
        assert (refused, gone) == ({}, True)
        now = await store.profile(1)
        # Pairs come last: it had no follower yet.
        assert now is not None
        assert (changed.account, changed.standing.follower) == (now.account, 0)
        assert added == await store.profile(6)
        assert [group.id for group in await store.groups(4)] == [group_id]
        assert (await store.followers(1, Window(0, 9))).mids == [4]
        counters = [await store.counters(mid) for mid in (1, 3, 4)]
        assert [(of.following, of.follower) for of in counters if of] == [(1, 1), (0, 0), (1, 0)]
        assert [finding async for finding in store.check(repair=False) if isinstance(finding, Finding)] == []

    run(path, test)


def test_a_store_in_memory_takes_accounts_after_it_was_restored() -> None:
    async def test() -> None:
        store = SqliteStore.open("sqlite://")
        await store.load([profile(1)], [])
        before = await store.snapshot()
        await store.change_account(1, renamed("one"))
        await store.restore(before)
        changed = await store.change_account(1, longer)
        assert (changed.account.name, changed) == ("name 1+", await store.profile(1))
        await store.close()

    asyncio.run(test())


def test_a_counter_that_is_written_of_a_pair_that_is_as_it_was_is_noted(path: Path) -> None:
    def unfollow(pair: Pair) -> Change:
        return Change(None, pair.backward)

    def refollow(pair: Pair) -> Change:
        return Change(follow(1, 2, 5), pair.backward)

    async def test(store: SqliteStore) -> None:
        await store.load([reported(1), profile(2)], [follow(1, 2, 5)])
        before, _ = await store.changed_owners(0)
        await in_one_group(
            path, store, store.change_relations(1, [2], unfollow), store.change_relations(1, [2], refollow)
        )
        counters = await store.counters(1)
        assert counters is not None
        assert counters.following == 1
        assert 1 in ((await store.changed_owners(before))[1] or ())

    run(path, test)


def test_a_group_of_all_kinds_of_writes_is_one_commit_that_names_whom_each_concerns(path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        before, _ = await store.changed_owners(0)
        await in_one_group(
            path,
            store,
            store.change_relations(1, [2], lambda pair: Change(follow(1, 2), pair.backward)),
            store.put_token(token("a", 3)),
            store.change_account(4, renamed("four")),
            store.change_account(4, renamed("again")),
        )
        # One of them is that of `in_one_group`.
        newest, named = await store.changed_owners(before)
        assert (newest - before, set(named or ())) == (2, {1, 2, 4, 5})

    run(path, test)
