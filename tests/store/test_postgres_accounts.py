"""Changes of accounts on PostgreSQL: by several processes at once, and how they are numbered."""

import asyncio
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any

import pytest
from citus_stand_in import as_if_distributed, ask
from conftest import DEADLINE_S
from msgspec.structs import replace
from raw_rows import until_it_waits
from store_oracle import follow, profile

from upspace.model import CounterMode, Profile, Standing, Upstat
from upspace.store import open_store
from upspace.store.interface import AccountDeletedError, Decide, Store, StoreTimeoutError, StoreUnavailableError
from upspace.store.postgres import changes
from upspace.store.postgres.accounts import put_profiles_txn
from upspace.store.postgres.connection import Connection, Database
from upspace.store.postgres.group_commits import Outcome
from upspace.store.postgres.relations import QUERIES
from upspace.store.postgres.writer import Writer
from upspace.store.rows import with_counters

MID = 77


def one_more(found: Profile | None, mid: int = MID) -> Profile:
    """The account with one like more; the first one makes it."""
    known = found or profile(mid)
    return replace(known, upstat=Upstat(likes=known.upstat.likes + 1))


one_more_of_1 = partial(one_more, mid=1)


@pytest.mark.parametrize("distributed", [False, True])
@pytest.mark.parametrize("is_there", [False, True])
def test_changes_of_an_account_take_turns_also_when_it_is_not_there_yet(
    postgres_url: str, distributed: bool, is_there: bool
) -> None:
    url = as_if_distributed(postgres_url) if distributed else postgres_url

    async def change_often(store: Store) -> None:
        for _ in range(5):
            await store.change_account(MID, one_more)

    async def change() -> int:
        stores = [await open_store(url) for _ in range(4)]
        try:
            if is_there:
                await stores[0].load([profile(MID)], [])
            await asyncio.gather(*map(change_often, stores))
            found = await stores[0].profile(MID)
            assert found is not None
            return found.upstat.likes
        finally:
            for store in stores:
                await store.close()

    assert asyncio.run(change()) == 20


def test_groups_of_several_processes_that_make_the_same_accounts_lose_nothing(postgres_url: str) -> None:
    mids = range(1, 41)

    async def change_all(store: Store, order: Random) -> None:
        shuffled = order.sample(mids, len(mids)) * 3
        await asyncio.gather(*(store.change_account(mid, partial(one_more, mid=mid)) for mid in shuffled))

    async def change() -> list[int]:
        stores = [await open_store(postgres_url) for _ in range(4)]
        try:
            await stores[0].load(map(profile, mids[::3]), [])
            await asyncio.gather(*(change_all(store, Random(number)) for number, store in enumerate(stores)))
            found = [await stores[0].profile(mid) for mid in mids]
            return [one.upstat.likes for one in found if one is not None]
        finally:
            for store in stores:
                await store.close()

    assert asyncio.run(change()) == [12] * len(mids)


def reported(mid: int, follower: int) -> Profile:
    return replace(profile(mid), standing=Standing(mid, counter_mode=CounterMode.REPORTED, follower=follower))


def groups_counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many accounts each transaction is asked to change, from now on."""
    groups: list[int] = []
    change_txn = Writer._change_accounts_txn

    async def counting(writer: Writer, db: Connection, group: Sequence[Any]) -> list[Outcome]:
        groups.append(len(group))
        return await change_txn(writer, db, group)

    monkeypatch.setattr(Writer, "_change_accounts_txn", counting)
    return groups


def test_each_of_a_group_gets_what_became_of_its_own(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts that are new, known, refused and deleted, whose counters are kept, counted and reported."""
    groups = groups_counted(monkeypatch)

    def refuse(_: Profile | None) -> Profile:
        raise LookupError("not this one")

    rules: dict[int, Decide] = {
        1: lambda _: profile(1, "kept"),
        2: lambda _: profile(2, "counted"),
        3: refuse,
        4: lambda _: profile(1, "another"),
        5: lambda _: profile(5, "deleted"),
        6: lambda _: reported(6, 9),
        7: lambda _: profile(7, "new"),
    }

    async def change() -> tuple[list[Profile | BaseException], list[Profile | None]]:
        store = await open_store(postgres_url)
        try:
            fans = [follow(8, 1), follow(9, 1), follow(8, 2)]
            await store.load([profile(1), reported(2, 1000), *map(profile, (3, 5, 6, 8, 9))], fans)
            await store.delete_account(5, 1)
            asked = (store.change_account(mid, rule) for mid, rule in rules.items())
            became = await asyncio.gather(*asked, return_exceptions=True)
            return became, [await store.profile(mid) for mid in rules]
        finally:
            await store.close()

    became, found = asyncio.run(change())
    assert groups == [len(rules)]
    expected = {
        1: with_fans(profile(1, "kept"), 2),
        2: with_fans(profile(2, "counted"), 1),
        6: reported(6, 9),
        7: profile(7, "new"),
    }
    assert {mid: one for mid, one in zip(rules, became, strict=True) if isinstance(one, Profile)} == expected
    assert [type(one) for one in became if not isinstance(one, Profile)] == [
        *(LookupError, ValueError, AccountDeletedError),
    ]
    assert found == [*(expected.get(mid) for mid in (1, 2)), profile(3), None, None, *(expected[mid] for mid in (6, 7))]


def with_fans(of: Profile, follower: int) -> Profile:
    return replace(of, standing=with_counters(of.standing, (0, 0, 0, follower)))


def test_a_text_that_the_server_refuses_bothers_nobody_else_of_its_group(postgres_url: str) -> None:
    async def change() -> list[type]:
        store = await open_store(postgres_url)
        try:
            # No text of PostgreSQL holds this character.
            wanted = {1: profile(1), 2: profile(2, "\0"), 3: profile(3)}
            asked = (store.change_account(mid, lambda _, it=it: it) for mid, it in wanted.items())  # type: ignore[misc]  # a default binds the value
            became = await asyncio.gather(*asked, return_exceptions=True)
            return [type(one) for one in (*became, *[await store.profile(mid) for mid in wanted])]
        finally:
            await store.close()

    assert asyncio.run(change()) == [Profile, StoreUnavailableError, Profile, Profile, type(None), Profile]


def test_who_finds_that_another_process_has_made_the_account_meanwhile_begins_anew(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = groups_counted(monkeypatch)

    async def change() -> tuple[int, int]:
        database = await Database.connect(postgres_url, connections=4, timeout_s=DEADLINE_S)
        store = await open_store(postgres_url, timeout_s=DEADLINE_S)
        asked: list[asyncio.Task[Profile]] = []

        async def make(db: Connection) -> None:
            await db.execute(QUERIES["hold_numbers"], [1])
            asked.extend(asyncio.create_task(store.change_account(mid, partial(one_more, mid=mid))) for mid in (1, 2))
            await until_it_waits(postgres_url, asked[0])
            await put_profiles_txn(db, [one_more(None, 1)])

        try:
            await store.load([profile(2)], [])
            await database.write(make)
            first, second = await asyncio.gather(*asked)
            return first.upstat.likes, second.upstat.likes
        finally:
            await store.close()
            await database.close()

    assert asyncio.run(change()) == (2, 1)
    assert groups == [2, 2]


def test_an_account_that_somebody_holds_makes_the_others_of_its_group_late_but_not_fail(postgres_url: str) -> None:
    async def change() -> list[type]:
        database = await Database.connect(postgres_url, connections=4, timeout_s=DEADLINE_S)
        store = await open_store(postgres_url, timeout_s=2)

        async def hold(db: Connection) -> list[type]:
            await db.execute("select from standing where mid = 1 for update")
            changes = (store.change_account(mid, partial(one_more, mid=mid)) for mid in (1, 2, 3))
            held, *others = map(asyncio.create_task, changes)
            await asyncio.gather(*others)
            # It still waits for the lock, in a transaction of its own.
            assert not held.done()
            became = await asyncio.gather(held, *others, return_exceptions=True)
            return [type(one) for one in became]

        try:
            await store.load(map(profile, (1, 2, 3)), [])
            became = await database.write(hold)
            assert (await store.change_account(1, one_more_of_1)).upstat.likes == 1
            return became
        finally:
            await store.close()
            await database.close()

    assert asyncio.run(change()) == [StoreTimeoutError, Profile, Profile]


def test_nothing_is_written_for_who_left_before_their_turn(postgres_url: str) -> None:
    async def change() -> int:
        database = await Database.connect(postgres_url, connections=4, timeout_s=DEADLINE_S)
        store = await open_store(postgres_url, timeout_s=DEADLINE_S)
        asked: list[asyncio.Task[Profile]] = []

        async def hold(db: Connection) -> None:
            await db.execute("select from standing where mid = 1 for update")
            asked.extend(asyncio.create_task(store.change_account(1, one_more_of_1)) for _ in range(3))
            await until_it_waits(postgres_url, asked[0])
            asked[1].cancel()

        try:
            await store.load([profile(1)], [])
            await database.write(hold)
            await asyncio.gather(*asked, return_exceptions=True)
            return asked[2].result().upstat.likes
        finally:
            await store.close()
            await database.close()

    assert asyncio.run(change()) == 2


def test_changes_are_forgotten_beyond_what_is_kept(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, every = 5, 3
    monkeypatch.setattr(changes, "_CHANGES_KEPT", kept)
    monkeypatch.setattr(changes, "_PRUNED_EVERY", every)

    async def write(mids: range) -> tuple[int, object]:
        store = await open_store(postgres_url)
        try:
            await store.load(map(profile, mids), [])
            return await store.changed_accounts(0)
        finally:
            await store.close()

    written = 0
    for count in (1, 2, 4, 1, 1, 1, 2, 2, 4, 4, 1):
        newest, mids = asyncio.run(write(range(written + 1, written + count + 1)))
        written += count
        numbers = [number for (number,) in ask(postgres_url, "select number from account_change order by number")]
        assert newest == written
        assert numbers == list(range(written - len(numbers) + 1, written + 1))
        assert min(written, kept) <= len(numbers) <= kept + every - 1
        # Whoever was away for longer than is kept has to forget all.
        assert (mids is None) == (len(numbers) < written)
