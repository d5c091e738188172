"""Changes of accounts on PostgreSQL: by several processes at once, and how they are numbered."""

import asyncio
from functools import partial
from random import Random

import pytest
from citus_stand_in import as_if_distributed, ask
from msgspec.structs import replace
from store_oracle import profile

from upspace.model import CounterMode, Profile, Standing, Upstat
from upspace.store import open_store
from upspace.store.interface import AccountDeletedError, Decide, Store, StoreUnavailableError
from upspace.store.postgres import changes

MID = 77


def one_more(found: Profile | None, mid: int = MID) -> Profile:
    """The account with one like more; the first one makes it."""
    known = found or profile(mid)
    return replace(known, upstat=Upstat(likes=known.upstat.likes + 1))


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


def test_what_is_refused_bothers_nobody_else_of_its_group(postgres_url: str) -> None:
    def refuse(_: Profile | None) -> Profile:
        raise LookupError("not this one")

    def impossible(_: Profile | None) -> Profile:
        # No text of PostgreSQL holds this character.
        return profile(3, "\0")

    async def change() -> list[object]:
        store = await open_store(postgres_url)
        try:
            await store.load([profile(5), profile(6)], [])
            await store.delete_account(5, 1)
            rules: dict[int, Decide] = {
                1: partial(one_more, mid=1),
                2: refuse,
                3: impossible,
                4: partial(one_more, mid=1),
                5: partial(one_more, mid=5),
                6: lambda _: replace(profile(6), standing=Standing(6, counter_mode=CounterMode.REPORTED, follower=9)),
            }
            asked = (store.change_account(mid, rule) for mid, rule in rules.items())
            became = await asyncio.gather(*asked, return_exceptions=True)
            found = [await store.profile(mid) for mid in rules]
            kept = [one.account.mid for one in found if one is not None]
            return [*(type(one) for one in became), kept]
        finally:
            await store.close()

    assert asyncio.run(change()) == [
        *(Profile, LookupError, StoreUnavailableError, ValueError, AccountDeletedError, Profile),
        [1, 6],
    ]


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
