"""The synthetic community: the same for the same seed, shaped like a real one, and settled whole or not at all."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice, pairwise
from typing import TypeVar

import msgspec
import pytest

from upspace.data.community import (
    MARK,
    MARK_LOADED,
    REFERENCE,
    Community,
    CommunityMismatchError,
    sample_records,
    settle,
)
from upspace.model import Account, AccountState, CounterMode, Profile, Relation, Standing
from upspace.records import profile_of, record_json, record_of
from upspace.store import open_store
from upspace.store.interface import Store
from upspace.wire.codes import (
    ATTRIBUTE_BLACK,
    ATTRIBUTE_FOLLOWING,
    ATTRIBUTE_MUTUAL,
    ATTRIBUTE_WHISPER,
    GROUP_SPECIAL,
)
from upspace.wire.record import read_record

T = TypeVar("T")

ACCOUNTS, RELATIONS = 1_000, 20_000


class CrashError(Exception):
    """Stands for a crash."""


@pytest.fixture(scope="module")
def community() -> Community:
    return Community(1, ACCOUNTS, RELATIONS)


@pytest.fixture(scope="module")
def profiles(community: Community) -> list[Profile]:
    return list(community.profiles())


@pytest.fixture(scope="module")
def relations(community: Community) -> list[Relation]:
    return list(community.relations())


@pytest.fixture(scope="module")
def follows(relations: list[Relation]) -> dict[tuple[int, int], Relation]:
    return {
        (relation.owner, relation.other): relation
        for relation in relations
        if relation.attribute == ATTRIBUTE_FOLLOWING
    }


def digest(community: Community) -> str:
    found = sha256()
    for value in (*community.profiles(), *community.relations(), *community.deleted):
        found.update(msgspec.json.encode(value))
    return found.hexdigest()


def test_the_same_seed_gives_the_same_community(community: Community) -> None:
    same = digest(Community(1, ACCOUNTS, RELATIONS))
    assert same == digest(community) == digest(community)
    assert same != digest(Community(2, ACCOUNTS, RELATIONS))


def test_the_mark_tells_communities_apart(community: Community) -> None:
    others = [Community(2, ACCOUNTS, RELATIONS), Community(1, 1_001, RELATIONS), Community(1, ACCOUNTS, 20_001)]
    assert len({community.mark, *(other.mark for other in others)}) == 4
    assert community.mark == Community(1, ACCOUNTS, RELATIONS).mark
    assert msgspec.json.decode(community.mark)["seed"] == 1


@pytest.mark.parametrize(("accounts", "relations"), [(999, 20_000), (0, 0), (1_000, 2_999), (1_000, 100_001)])
def test_numbers_that_cannot_be_are_refused(accounts: int, relations: int) -> None:
    with pytest.raises(ValueError, match=r"accounts|relations"):
        Community(1, accounts, relations)


@pytest.mark.parametrize(("accounts", "relations"), [(1_000, 3_000), (1_000, 100_000), (1_777, 54_321)])
def test_the_numbers_asked_for_are_exact(accounts: int, relations: int) -> None:
    community = Community(3, accounts, relations)
    assert sum(1 for _ in community.profiles()) == accounts
    followings: Counter[int] = Counter()
    rows = 0
    for relation in community.relations():
        rows += 1
        followings[relation.owner] += relation.attribute != ATTRIBUTE_BLACK
    assert rows == relations
    assert max(followings.values()) <= 2_000


def test_accounts_are_in_order_and_told_apart(profiles: list[Profile]) -> None:
    mids = [profile.account.mid for profile in profiles]
    assert all(one < two for one, two in pairwise(mids))
    assert mids == [profile.standing.mid for profile in profiles]
    assert len({profile.account.name for profile in profiles}) == ACCOUNTS
    assert {16, 9, 8} <= {len(str(mid)) for mid in mids}


def test_accounts_are_what_a_record_may_be(profiles: list[Profile]) -> None:
    for profile in profiles:
        record = record_of(profile)
        assert read_record(record_json(record)) == record
        assert profile_of(record) == profile


def test_accounts_differ_as_in_life(profiles: list[Profile]) -> None:
    accounts = [profile.account for profile in profiles]
    standings = [profile.standing for profile in profiles]
    assert {account.level for account in accounts} == set(range(7))
    assert {account.sex for account in accounts} == {"男", "女", "保密"}
    assert 0.4 < sum(not account.sign for account in accounts) / ACCOUNTS < 0.7
    assert any(account.birthday for account in accounts)
    assert 0.2 < sum(account.vip is not None for account in accounts) / ACCOUNTS < 0.5
    assert any(account.official and '"type":0' in account.official for account in accounts)
    assert 0.1 < sum(account.decorations is not None for account in accounts) / ACCOUNTS < 0.6
    assert any(standing.state is AccountState.SUSPENDED for standing in standings)
    assert any(standing.hides_followings for standing in standings)
    assert any(standing.hides_followers for standing in standings)
    assert any(standing.hides_birthday for standing in standings)
    assert sum(standing.counter_mode is CounterMode.REPORTED for standing in standings) == len(sample_records())
    assert any(profile.upstat.archive_view > 100_000 for profile in profiles)


def test_memberships_end_at_midnight(profiles: list[Profile]) -> None:
    vips = [record_of(profile).vip for profile in profiles if profile.account.vip]
    assert {vip.type for vip in vips} == {1, 2}
    assert {(vip.due_date // 1_000 + 8 * 3_600) % 86_400 for vip in vips} == {0}
    assert {vip.due_date % 1_000 for vip in vips} == {0}
    samples = {record.mid for record in sample_records()}
    for profile in profiles:
        vip = record_of(profile).vip
        if vip.type and profile.account.mid not in samples:
            assert vip.status == (vip.due_date > REFERENCE * 1_000) == bool(vip.label.text)


def test_relations_are_sorted_without_selves_or_doubles(relations: list[Relation], profiles: list[Profile]) -> None:
    pairs = [(relation.owner, relation.other) for relation in relations]
    assert all(one < two for one, two in pairwise(pairs))
    assert all(owner != other for owner, other in pairs)
    assert {mid for pair in pairs for mid in pair} <= {profile.account.mid for profile in profiles}
    assert all(relation.mtime <= REFERENCE for relation in relations)


def test_every_kind_of_relation_occurs(relations: list[Relation]) -> None:
    kinds = Counter(relation.attribute for relation in relations)
    assert set(kinds) == {ATTRIBUTE_FOLLOWING, ATTRIBUTE_WHISPER, ATTRIBUTE_BLACK}
    assert kinds[ATTRIBUTE_FOLLOWING] > 0.98 * RELATIONS
    special = [relation for relation in relations if relation.groups]
    assert special
    assert all(relation.groups == (GROUP_SPECIAL,) for relation in special)
    assert all(relation.attribute == ATTRIBUTE_FOLLOWING for relation in special)


def test_a_block_ends_every_relation_of_the_two(relations: list[Relation]) -> None:
    pairs = {(relation.owner, relation.other) for relation in relations}
    blacks = {(relation.owner, relation.other) for relation in relations if relation.attribute == ATTRIBUTE_BLACK}
    assert blacks
    assert not any((other, owner) in pairs for owner, other in blacks)


def test_mutual_pairs_share_their_time(follows: dict[tuple[int, int], Relation]) -> None:
    mutual = [pair for pair in follows if pair[::-1] in follows]
    assert 0.14 < len(mutual) / RELATIONS < 0.21
    assert all(follows[pair].mtime == follows[pair[::-1]].mtime for pair in mutual)


def test_few_have_most_of_the_followers() -> None:
    community = Community(1, 4_000, 40_000)
    followers = Counter(
        relation.other for relation in community.relations() if relation.attribute == ATTRIBUTE_FOLLOWING
    )
    for record in sample_records():
        del followers[record.mid]
    in_order = sorted(followers.values(), reverse=True)
    assert sum(in_order[:40]) > 0.2 * sum(in_order)
    assert in_order[0] > 100 * in_order[len(in_order) // 2]


def test_samples_are_members(profiles: list[Profile], follows: dict[tuple[int, int], Relation]) -> None:
    stored = {profile.account.mid: profile for profile in profiles}
    followings = Counter(owner for owner, _ in follows)
    followers = Counter(other for _, other in follows)
    for record in sample_records():
        assert stored[record.mid] == profile_of(record)
        assert followings[record.mid] == record.counters.following
    assert (followers[50995243], followers[524144317], followers[5818410]) == (500, 320, 640)


def test_deleted_accounts_are_followed_but_own_nothing(community: Community, relations: list[Relation]) -> None:
    deleted = set(community.deleted)
    assert len(deleted) == ACCOUNTS // 200
    assert not any(relation.owner in deleted for relation in relations)
    assert any(relation.other in deleted for relation in relations)


async def assert_settled(store: Store, community: Community, relations: list[Relation]) -> None:
    """All accounts are there, and the counters are those that follow from the relations."""
    assert await store.mark(MARK) == community.mark
    deleted = set(community.deleted)
    owned = Counter((relation.owner, relation.attribute) for relation in relations)
    followers = Counter(relation.other for relation in relations if relation.attribute == ATTRIBUTE_FOLLOWING)
    for profile in community.profiles():
        mid = profile.account.mid
        standing = await store.standing(mid)
        if mid in deleted:
            assert standing == Standing(mid, AccountState.DELETED)
        elif profile.standing.counter_mode is CounterMode.REPORTED:
            assert standing == profile.standing
        else:
            assert standing == msgspec.structs.replace(
                profile.standing,
                following=owned[mid, ATTRIBUTE_FOLLOWING],
                whisper=owned[mid, ATTRIBUTE_WHISPER],
                black=owned[mid, ATTRIBUTE_BLACK],
                follower=followers[mid],
            )


def test_a_settled_store_holds_it_all(
    community: Community, relations: list[Relation], follows: dict[tuple[int, int], Relation]
) -> None:
    async def check() -> None:
        store = await open_store("sqlite://")
        try:
            assert await settle(store, community)
            await assert_settled(store, community, relations)
            owner, other = next(pair for pair in follows if pair[::-1] in follows)
            found = await store.relations(owner, (other,))
            assert found[other].attribute == ATTRIBUTE_MUTUAL
            assert await settle(store, Community(1, ACCOUNTS, RELATIONS)) is False
        finally:
            await store.close()

    asyncio.run(check())


def test_progress_sees_every_item(community: Community) -> None:
    seen: dict[str, list[int]] = {}

    def count(items: Iterable[T], what: str, total: int, /) -> Iterator[T]:
        seen[what] = [0, total]
        for item in items:
            seen[what][0] += 1
            yield item

    async def check() -> None:
        store = await open_store("sqlite://")
        try:
            await settle(store, community, count)
        finally:
            await store.close()

    asyncio.run(check())
    assert seen == {
        "accounts": [ACCOUNTS, ACCOUNTS],
        "relations": [RELATIONS, RELATIONS],
        "deleted accounts": [ACCOUNTS // 200, ACCOUNTS // 200],
    }


@pytest.mark.parametrize("where", ["accounts", "relations", "deleted accounts", "mark"])
def test_an_interrupted_settling_is_completed(
    where: str, community: Community, relations: list[Relation], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(items: Iterable[T], what: str, total: int, /) -> Iterator[T]:
        if what == where:
            yield from islice(items, total // 2)
            raise CrashError
        yield from items

    async def check() -> None:
        store = await open_store("sqlite://")
        try:
            if where == "mark":
                forbid_mark(monkeypatch, store)
            with pytest.raises(CrashError):
                await settle(store, community, interrupted)
            monkeypatch.undo()
            assert await store.mark(MARK) is None
            nothing_written = where in ("accounts", "relations")
            assert (await store.changed_accounts(0) == (0, ())) is nothing_written
            assert await store.mark(MARK_LOADED) == (None if nothing_written else community.mark)
            assert await settle(store, community)
            await assert_settled(store, community, relations)
        finally:
            await store.close()

    asyncio.run(check())


def forbid_mark(patch: pytest.MonkeyPatch, store: Store) -> None:
    """Let the load that only sets the last mark fail."""
    load = store.load

    async def load_unless_last(
        profiles: Iterable[Profile], relations: Iterable[Relation], marks: dict[str, str]
    ) -> None:
        if MARK in marks:
            raise CrashError
        await load(profiles, relations, marks)

    patch.setattr(store, "load", load_unless_last)


def test_another_community_is_not_overwritten(community: Community) -> None:
    async def check() -> None:
        store = await open_store("sqlite://")
        try:
            await settle(store, community)
            with pytest.raises(CommunityMismatchError, match="another store"):
                await settle(store, Community(2, ACCOUNTS, RELATIONS))
            assert await store.mark(MARK) == community.mark
        finally:
            await store.close()

    asyncio.run(check())


def test_accounts_without_a_community_are_not_overwritten(community: Community) -> None:
    async def check() -> None:
        store = await open_store("sqlite://")
        try:
            await store.load([Profile(Account(7, "seven"), Standing(7))], ())
            with pytest.raises(CommunityMismatchError, match="no community"):
                await settle(store, community)
            assert await store.mark(MARK) is None
            assert await store.mark(MARK_LOADED) is None
        finally:
            await store.close()

    asyncio.run(check())
