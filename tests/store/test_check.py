"""A check of a store: each kind of damage is found and mended, and what only a person can know is left alone."""

import asyncio
from contextlib import AsyncExitStack
from random import Random

import pytest
from msgspec.structs import replace
from raw_rows import Raw, Rows, SqliteRaw, dump, execute, raw, read_facts
from store_damage import (
    DELETED,
    GROUPS,
    LEFT,
    MENDED,
    MENDED_TOGETHER,
    NOW,
    REPORTED,
    Damage,
    community,
    fill,
    found,
    opened,
    run_check,
    vandalism,
)
from store_oracle import SPECIAL, profile
from stores import ENGINES, Stores

from upspace.model import Window
from upspace.store.findings import KINDS
from upspace.store.interface import Finding, Progress, Store
from upspace.store.postgres import check as postgres_check
from upspace.store.sqlite import check as sqlite_check
from upspace.store.sqlite.store import SqliteStore


@pytest.fixture
def url(store_url: str) -> str:
    """A store in which everything agrees, with something of everything."""
    asyncio.run(fill(store_url))
    execute(store_url, GROUPS)
    return store_url


def names(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(finding.kind, finding.mid) for finding in findings]


def test_a_store_in_which_everything_agrees_is_clean(url: str) -> None:
    before = dump(url)
    assert all(before.values())
    assert found(url) == found(url, repair=True) == []
    assert dump(url) == before


def test_an_empty_store_is_clean(store_url: str) -> None:
    assert found(store_url) == found(store_url, repair=True) == []


@pytest.mark.parametrize("case", MENDED, ids=lambda case: f"{case.kind}-{case.text}")
def test_damage_is_found_named_and_mended(url: str, case: Damage) -> None:
    before = dump(url)
    execute(url, case.sql)
    damaged = dump(url)
    assert damaged != before
    first = found(url)
    assert [finding.kind for finding in first if finding.kind != "wrong_counter"] in ([case.kind], [])
    assert (first[0].kind, first[0].mid, first[0].mended) == (case.kind, case.mid, None)
    assert case.text in first[0].text
    assert str(case.mid) in first[0].text
    assert dump(url) == damaged
    assert replace(found(url, repair=True)[0], mended=None) == first[0]
    assert found(url) == []
    assert dump(url) == before


@pytest.mark.parametrize("case", MENDED_TOGETHER)
def test_damage_in_several_places_is_mended(url: str, case: str) -> None:
    sql, expected = MENDED_TOGETHER[case]
    before = dump(url)
    execute(url, sql)
    first = found(url)
    assert sorted(pair for pair in names(first) if case.startswith("counters") or pair[0] != "wrong_counter") == sorted(
        expected
    )
    assert {finding.mended for finding in found(url, repair=True)} == {True}
    assert found(url) == []
    assert dump(url) == before


@pytest.mark.parametrize("case", LEFT, ids=lambda case: f"{case.kind}-{case.mid}")
def test_what_only_a_person_can_know_is_left_and_found_again(url: str, case: Damage) -> None:
    execute(url, case.sql)
    damaged = dump(url)
    first = found(url)
    assert [(finding.kind, finding.mid, finding.mended) for finding in first] == [(case.kind, case.mid, False)]
    assert case.text in first[0].text
    assert found(url, repair=True) == found(url) == first
    assert dump(url) == damaged


def test_each_kind_of_damage_is_tried() -> None:
    tried = {case.kind for case in MENDED} | {"deleted_token"}
    left = {case.kind for case in LEFT}
    assert tried == {kind.name for kind in KINDS if not kind.for_a_person}
    assert left == {kind.name for kind in KINDS if kind.for_a_person}


def test_what_is_strange_is_in_nobodys_way(url: str) -> None:
    """Accounts in states that there are not are held, looked at and counted like others."""
    execute(
        url, "update standing set state = 3, following = 5 where mid = 2; update standing set state = 3 where mid = 1"
    )
    execute(url, "delete from follower; update standing set counter_mode = 2 where mid = 7")
    kinds = {finding.kind for finding in found(url)}
    assert kinds == {"strange_standing", "follow_without_follower", "wrong_counter"}
    found(url, repair=True)
    assert names(found(url)) == [("strange_standing", 1), ("strange_standing", 2), ("strange_standing", REPORTED)]
    facts = dump(url)
    assert len(facts["follower"]) == 5
    assert [row[6] for row in facts["standing"] if row[0] == 2] == [1]


def test_a_token_of_a_deleted_account_is_revoked(url: str) -> None:
    execute(url, "update token set revoked = null where mid = 6")
    (finding,) = found(url)
    assert (finding.kind, finding.mid, finding.text.endswith("(1)")) == ("deleted_token", DELETED, True)
    found(url, repair=True)
    assert found(url) == []
    revoked = {mid: revoked for _, mid, _, _, revoked, _ in dump(url)["token"]}
    assert revoked[DELETED] >= NOW
    assert revoked[1] is None


def test_an_account_that_is_added_again_has_its_relations(url: str) -> None:
    before = dump(url)
    execute(url, "delete from standing where mid = 1")
    found(url, repair=True)

    async def add_again() -> list[int]:
        async with opened(url) as store:
            await store.change_account(1, lambda known: profile(1))
            return list((await store.followers(1, Window(0, 10))).mids)

    assert asyncio.run(add_again()) == [REPORTED, 4, 2]
    assert found(url) == []
    assert dump(url) == before


@pytest.mark.parametrize("kind", ["deleted_profile", "deleted_standing"])
def test_caches_of_accounts_learn_of_a_repair(url: str, kind: str) -> None:
    execute(url, next(case.sql for case in MENDED if case.kind == kind))

    async def repair() -> None:
        async with opened(url) as store:
            since = await store.newest_change()
            assert (DELETED in await store.accounts([DELETED])) == (kind == "deleted_profile")
            assert names(await run_check(store, repair=True)) == [(kind, DELETED)]
            assert await store.changed_accounts(since) == (since + 1, [DELETED])
            assert await store.accounts([DELETED]) == {}

    asyncio.run(repair())


def test_imported_counters_are_left_alone(url: str) -> None:
    execute(url, "delete from follower where other = 7; insert into follower values (7, 1, 2)")
    found(url, repair=True)
    standing = next(row for row in dump(url)["standing"] if row[0] == REPORTED)
    assert (standing[6], standing[9]) == (900, 1000)


# Communities


async def settle(store: Store, random: Random, accounts: int) -> None:
    profiles, relations = community(random, accounts)
    await store.load(profiles, relations)
    for given in random.sample(profiles, accounts // 10):
        await store.delete_account(given.account.mid, NOW)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_check, "_CHUNK_ROWS", 9)
    monkeypatch.setattr(sqlite_check, "_BATCH_ROWS", 3)
    monkeypatch.setattr(postgres_check, "_CHUNK_ACCOUNTS", 4)
    monkeypatch.setattr(postgres_check, "_PAGE_ROWS", 5)
    monkeypatch.setattr(postgres_check, "_BATCH_ROWS", 3)


@pytest.mark.parametrize("seed", range(5))
def test_a_random_community_is_clean(store_url: str, small_chunks: None, seed: int) -> None:
    async def check() -> list[Finding]:
        async with opened(store_url) as store:
            await settle(store, Random(seed), 60)
            return await run_check(store)

    assert asyncio.run(check()) == []


def assert_agrees(facts: dict[str, Rows]) -> None:
    """The facts agree, as told from plain dictionaries."""
    state = {row[0]: row[1] for row in facts["standing"]}
    relations = {(owner, other): rest for owner, other, *rest in facts["relation"]}
    follows = {pair: mtime for pair, (attribute, _, mtime, _) in relations.items() if attribute == 2}
    alive = {mid for mid in state if state[mid] != 2}
    assert all(owner in alive and other in state for owner, other in relations)
    expected = {(other, mtime, owner) for (owner, other), mtime in follows.items() if other in alive}
    assert set(facts["follower"]) == expected
    for (owner, other), (_, mutual, _, _) in relations.items():
        assert mutual == ((owner, other) in follows and (other, owner) in follows)
    for owner, other, group_id in facts["grouped"]:
        assert relations[owner, other][0] in (1, 2)
        assert group_id == SPECIAL
    for mid, _, _, _, _, mode, *counters in facts["standing"]:
        if mode == 0 and mid in alive:
            own = [attribute for (owner, _), (attribute, *_) in relations.items() if owner == mid]
            assert counters == [own.count(2), own.count(1), own.count(128), sum(row[0] == mid for row in expected)]
    assert {row[0] for row in facts["upstat"]} == alive


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("engine", ["memory", *ENGINES])
def test_a_community_that_is_damaged_at_random_agrees_again(
    stores: Stores, small_chunks: None, seed: int, engine: str
) -> None:
    url, random = "sqlite://" if engine == "memory" else stores.new(engine), Random(seed)

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(opened(url))
            await settle(store, random, 40)
            if isinstance(store, SqliteStore) and engine == "memory":
                rows: Raw = SqliteRaw(store._reader)
            else:
                rows = await stack.enter_async_context(raw(url))
            for sql in vandalism(random):
                await rows.execute(sql)
            assert await run_check(store) != []
            assert {finding.mended for finding in await run_check(store, repair=True)} == {True}
            assert await run_check(store) == []
            assert_agrees(await read_facts(rows))

    asyncio.run(scenario())
    stores.drop(url)


# Beside others


@pytest.mark.parametrize("repair", [False, True])
def test_nobody_who_writes_waits_for_a_check(url: str, small_chunks: None, repair: bool) -> None:
    async def scenario() -> list[Finding | Progress]:
        steps = []
        async with opened(url) as store, raw(url) as second:
            await store.load(*community(Random(1), 60))
            await second.execute("delete from follower")
            await second.execute("update relation set mutual = not mutual")
            async for step in store.check(repair=repair):
                steps.append(step)
                # Waits for no lock, and needs the row of every account.
                await second.execute("update standing set state = state")
        return steps

    steps = asyncio.run(scenario())
    # Between findings, so within chunks, and after each chunk.
    assert sum(isinstance(step, Finding) for step in steps) > 100
    assert sum(isinstance(step, Progress) for step in steps) > 10


@pytest.mark.parametrize("repair", [False, True])
def test_what_others_write_meanwhile_is_no_disagreement(url: str, small_chunks: None, repair: bool) -> None:
    random = Random(repair)

    async def scenario() -> None:
        async with opened(url) as store, opened(url) as other:
            profiles, relations = community(random, 50)
            await store.load(profiles, relations[:50])
            seen: list[Finding | Progress] = []
            async for step in store.check(repair=repair):
                seen.append(step)
                # Each of them changes rows of accounts all over, on both sides of what has been checked.
                await other.load([], random.sample(relations, 20))
            assert len(seen) > 10
            assert not [step for step in seen if isinstance(step, Finding)]
            assert await run_check(store) == []

    asyncio.run(scenario())


def test_what_is_right_again_when_it_is_to_be_mended_stays_so(url: str) -> None:
    execute(url, "delete from upstat where mid = 1; delete from follower where owner = 2")
    execute(url, "update relation set mutual = false where owner = 1; insert into grouped values (2, 3, -10)")
    execute(url, "insert into follower values (5, 60, 3); update standing set follower = 1 where mid = 5")
    meanwhile = """
    delete from relation where owner in (1, 2) and other in (1, 2);
    delete from follower where owner in (1, 2) and other in (1, 2);
    delete from grouped where owner = 1 and other = 2;
    insert into relation values (2, 3, 2, false, 50, 0), (3, 5, 2, false, 60, 0);
    insert into follower values (3, 50, 2);
    update standing set following = 2, follower = 2 where mid = 1;
    update standing set follower = 0 where mid = 2;
    update standing set following = 1, follower = 2 where mid = 3;
    """

    async def repair() -> list[str]:
        kinds: list[str] = []
        async with opened(url) as store, raw(url) as second:
            async for step in store.check(repair=True):
                if isinstance(step, Finding):
                    if not kinds:
                        # What else is wrong has been read, but not mended yet.
                        await second.execute(meanwhile)
                    kinds.append(step.kind)
        return kinds

    # A counter was wrong along with a list.
    assert asyncio.run(repair()) == [
        *("totals_missing", "follow_without_follower", "follower_without_follow"),
        *("mutual_missing", "member_without_relation", "wrong_counter"),
    ]
    assert found(url) == []
    facts = dump(url)
    assert (2, 3, SPECIAL) in facts["grouped"]
    assert (5, 60, 3) in facts["follower"]
    assert not [row for row in facts["relation"] if row[:2] in ((1, 2), (2, 1))]
