"""A check beside many who write at the same moment: what they have under way is no disagreement."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from citus_stand_in import as_if_distributed
from store_damage import opened, run_check
from store_oracle import profile

from upspace.model import Change, Membership, Pair, Profile, Relation
from upspace.store.interface import DecideMembers, DecidePair, Store
from upspace.store.postgres import check as checking
from upspace.store.postgres.connection import Connection, Database


def changed(random: Random, now: int) -> DecidePair:
    """A rule that follows, unfollows, whispers or blocks."""
    attribute = random.choice((2, 2, 2, 0, 1, 128))

    def decide(pair: Pair) -> Change:
        forward, backward = None, pair.backward
        mutual = backward is not None and backward.attribute in (2, 6)
        if attribute:
            forward = Relation(pair.mid, pair.fid, 6 if attribute == 2 and mutual else attribute, now)
        if backward is not None and mutual:
            stays = attribute == 2
            backward = Relation(
                pair.fid, pair.mid, 6 if stays else 2, now if stays else backward.mtime, backward.groups
            )
        return Change(forward, backward)

    return decide


async def write_at_random(store: Store, random: Random, mids: range) -> None:
    """Relations, groups and accounts of these, without end."""
    while True:
        owner, *others = random.sample(mids, 4)
        chance = random.random()
        if chance < 0.8:
            await store.change_relations(owner, others, changed(random, random.randrange(1_000_000)))
        elif chance < 0.85:
            group_id = await store.create_group(owner, lambda _: str(random.random()))
            await store.change_members(owner, others, grouping(random))
            await store.delete_group(owner, group_id)
        elif chance < 0.95:
            await store.change_members(owner, others, grouping(random))
        else:
            await store.change_account(owner, unchanged)


def unchanged(known: Profile | None) -> Profile:
    assert known is not None
    return known


def grouping(random: Random) -> DecideMembers:
    """A rule that puts those who are followed into some group or none."""

    def decide(membership: Membership) -> dict[int, tuple[int, ...]]:
        ids = [-10, *(group.id for group in membership.groups)]
        followed = [mid for mid, relation in membership.relations.items() if relation.attribute in (2, 6)]
        return {mid: tuple(random.sample(ids, random.randrange(2))) for mid in followed}

    return decide


@asynccontextmanager
async def no_snapshot(database: Database) -> AsyncIterator[Connection]:
    """Each statement reads at a moment of its own, which is worse than what a cluster does."""
    async with database._connections.one(5) as connection:
        yield connection


@pytest.mark.parametrize("engine", ["server", "cluster"])
def test_what_many_write_meanwhile_is_no_disagreement(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr(checking, "_CHUNK_ACCOUNTS", 4)
    monkeypatch.setattr(checking, "_PAGE_ROWS", 5)
    if engine == "cluster":
        as_if_distributed(postgres_url)
        monkeypatch.setattr(Database, "snapshot", no_snapshot)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        mids = range(1, 41)
        async with opened(postgres_url) as store, opened(postgres_url) as other:
            await store.load([profile(mid) for mid in mids], [])
            writers = [
                loop.create_task(write_at_random(into, Random(seed), mids))
                for seed, into in enumerate((store, store, other, other))
            ]
            until_s = loop.time() + 3
            rounds = 0
            while loop.time() < until_s or rounds < 4:
                assert await run_check(store, repair=rounds % 2 == 1) == []
                rounds += 1
            assert not any(writer.done() for writer in writers)
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)

    asyncio.run(scenario())
