"""Changes of accounts on PostgreSQL: by several processes at once, and how they are numbered."""

import asyncio

import pytest
from citus_stand_in import as_if_distributed, ask
from msgspec.structs import replace
from store_oracle import profile

from upspace.model import Profile, Upstat
from upspace.store import open_store
from upspace.store.interface import Store
from upspace.store.postgres import changes

MID = 77


def one_more(found: Profile | None) -> Profile:
    """The account with one like more; the first one makes it."""
    known = found or profile(MID)
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
