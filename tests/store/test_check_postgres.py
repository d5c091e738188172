"""What is true of a check of PostgreSQL alone: its statements, its locks, its memory, and what a cluster needs."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from check_world import World, any_worlds
from citus_stand_in import as_if_distributed, ask
from hypothesis import given, settings
from postgres_server import PostgresServer
from raw_rows import Rows, SqliteRaw, dump, execute, raw, read_facts, until_it_waits
from store_damage import GROUPS, MENDED, fill, found, opened, run_check
from store_oracle import follow, profile

from upspace.store import open_store
from upspace.store.interface import Finding, StoreTimeoutError
from upspace.store.postgres import check as checking
from upspace.store.postgres.connection import PACKAGE
from upspace.store.postgres.facts import PAGED_TABLES
from upspace.store.postgres.relations import QUERIES
from upspace.store.queries import read_queries
from upspace.store.sqlite.store import SqliteStore

CHECKS = read_queries(PACKAGE, "check.sql")


@pytest.fixture
def url(postgres_url: str) -> str:
    """A store in which everything agrees, with something of everything."""
    asyncio.run(fill(postgres_url))
    execute(postgres_url, GROUPS)
    return postgres_url


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_CHUNK_ACCOUNTS", 4)
    monkeypatch.setattr(checking, "_PAGE_ROWS", 5)
    monkeypatch.setattr(checking, "_BATCH_ROWS", 3)


# Beside SQLite


@pytest.fixture(scope="module", params=["server", "cluster"])
def shared_url(postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """A store for many worlds, one after another."""
    url = postgres.migrated_database()
    yield as_if_distributed(url) if request.param == "cluster" else url
    postgres.drop(url)


EMPTY = "truncate standing, account, upstat, token, own_group, relation, follower, grouped; "


async def repaired_by_sqlite(world: World) -> tuple[dict[str, Rows], list[Finding]]:
    """What SQLite makes of these rows, and what it leaves to a person."""
    store = SqliteStore.open("sqlite://")
    rows = SqliteRaw(store._reader)
    await rows.execute(world.sql())
    await run_check(store, repair=True)
    left = await run_check(store)
    facts = await read_facts(rows)
    await store.close()
    return facts, left


def timeless(facts: dict[str, Rows]) -> dict[str, Rows]:
    """The facts without the time at which a token was revoked."""
    return facts | {"token": [(*row[:4], row[4] is None, row[5]) for row in facts["token"]]}


@given(world=any_worlds())
@settings(max_examples=60, deadline=None)
def test_a_repair_leaves_the_rows_that_sqlite_leaves(shared_url: str, world: World) -> None:
    async def scenario() -> None:
        async with opened(shared_url) as store, raw(shared_url) as rows:
            await rows.execute(EMPTY + world.sql())
            wrong = sorted((each.kind.name, str(each.values)) for each in world.disagreements())
            assert len(await run_check(store)) == len(wrong)
            await run_check(store, repair=True)
            expected, left = await repaired_by_sqlite(world)
            assert timeless(await read_facts(rows)) == timeless(expected)
            assert sorted(await run_check(store), key=str) == sorted(left, key=str)

    asyncio.run(scenario())


# Beside others


def test_a_repair_that_gets_no_lock_says_so(url: str) -> None:
    execute(url, MENDED[0].sql)

    async def scenario() -> None:
        store = await open_store(url, timeout_s=1)
        async with raw(url) as holder:
            await holder.execute("begin; select from standing where mid = 2 for update")
            assert len(await run_check(store)) == 2
            with pytest.raises(StoreTimeoutError):
                await run_check(store, repair=True)
            await holder.execute("rollback")
        assert {finding.mended for finding in await run_check(store, repair=True)} == {True}
        await store.close()

    asyncio.run(scenario())


def test_rows_of_an_account_that_is_being_added_are_not_removed(url: str) -> None:
    """Its relations would be counted and then taken away: who adds an account holds its number."""
    execute(url, "insert into relation values (77, 5, 128, false, 1, 0)")

    async def scenario() -> None:
        async with opened(url) as store, raw(url) as adding:
            await adding.execute("begin; select pg_advisory_xact_lock(77)")
            repair = asyncio.create_task(run_check(store, repair=True))
            await until_it_waits(url, repair)
            await adding.execute("insert into standing values (77, 0, false, false, false, 0, 0, 0, 1, 0); commit")
            await repair

    asyncio.run(scenario())
    assert [finding.kind for finding in found(url)] == ["profile_missing"]
    assert [row[:2] for row in dump(url)["relation"] if row[0] == 77] == [(77, 5)]


def test_a_check_that_is_given_up_leaves_no_transaction(url: str) -> None:
    execute(url, "delete from follower")

    async def scenario() -> Rows:
        async with opened(url) as store, raw(url) as rows:
            for repair in (False, True):
                steps = store.check(repair=repair)
                assert isinstance(await anext(steps), Finding)
                await steps.aclose()
            return await rows.fetch("select state from pg_stat_activity where application_name = 'upspace'")

    assert set(asyncio.run(scenario())) == {("idle",)}


def test_one_connection_is_enough(url: str) -> None:
    execute(url, "delete from follower")

    async def scenario() -> list[Finding]:
        store = await open_store(url, connections=1)
        findings = await run_check(store, repair=True)
        await store.close()
        return findings

    assert {finding.mended for finding in asyncio.run(scenario())} == {True}


def test_on_a_cluster_only_what_is_still_wrong_when_it_is_held_is_found(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_if_distributed(url)
    execute(url, "delete from upstat where mid = 1; delete from follower where owner = 2")
    believed = checking._Check._believed

    async def late(self: Any, wrong: list[Any]) -> list[Any]:
        async with raw(url) as rows:
            await rows.execute("insert into follower values (2, 10, 1)")
        return await believed(self, wrong)

    monkeypatch.setattr(checking._Check, "_believed", late)
    assert [finding.kind for finding in found(url)] == ["totals_missing"]


# Memory


def test_an_account_with_many_followers_is_read_in_pages(
    postgres_url: str, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_at_once, wrong_at_once = [], []
    fetch, believed = asyncpg.Connection.fetch, checking._Check._believed

    async def counted_fetch(self: Any, query: str, *values: Any) -> Any:
        rows = await fetch(self, query, *values)
        rows_at_once.append(len(rows))
        return rows

    async def counted_believed(self: Any, wrong: list[Any]) -> list[Any]:
        wrong_at_once.append(len(wrong))
        return await believed(self, wrong)

    async def scenario() -> None:
        async with opened(postgres_url) as store, raw(postgres_url) as rows:
            mids = range(1, 101)
            pairs = [follow(mid, 1, mid) for mid in mids[1:]] + [follow(1, mid, 5, -10) for mid in mids[1:]]
            await store.load([profile(mid) for mid in mids], pairs)
            await rows.execute("delete from follower where owner = 1 and other % 2 = 0")
            await rows.execute("delete from grouped; insert into grouped select 1, mid, 7 from standing")
            monkeypatch.setattr(asyncpg.Connection, "fetch", counted_fetch)
            monkeypatch.setattr(checking._Check, "_believed", counted_believed)
            findings = await run_check(store)
            kinds = [finding.kind for finding in findings]
            assert kinds.count("follow_without_follower") == 50
            assert kinds.count("member_of_unknown_group") == 100
            assert len(await run_check(store, repair=True)) == len(findings)
            assert await run_check(store) == []

    asyncio.run(scenario())
    assert checking._PAGE_ROWS == 5
    # Both accounts of each row of a page.
    assert max(rows_at_once) <= 10
    # What a page has in all is wrong twice at most, and comes to what there is already.
    assert 5 <= max(wrong_at_once) <= 15


# Statements


@pytest.mark.parametrize("name", CHECKS)
def test_each_statement_finds_its_rows_through_an_index(name: str, postgres_url: str) -> None:
    numbers = {int(number) for number in re.findall(r"\$(\d+)", CHECKS[name])}
    execution = f"execute it ({', '.join(['null'] * len(numbers))})" if numbers else "execute it"
    plan = "\n".join(
        line
        for (line,) in ask(
            postgres_url,
            "set enable_seqscan = off",
            # The groups of one owner may be sorted, as they are few.
            "set enable_incremental_sort = off",
            "set plan_cache_mode = force_generic_plan",
            f"prepare it as {CHECKS[name]}",
            f"explain {execution}",
        )
    )
    assert "Seq Scan" not in plan
    if name.endswith(("_page", "_mids")):
        assert "Sort" not in plan
    # An owner may have many rows there, of which only the whole key tells one.
    assert ("relation_list" in plan) == (name == "followed_rows")


def test_no_statement_is_missing_or_there_for_nothing() -> None:
    used = {
        "count_accounts",
        "attributes",
        "followed_rows",
        "states",
        "profiles",
        "totals",
        "token_counts",
    }
    used |= {f"{table}_mids" for table in ("standing", "account", "upstat", "token")}
    used |= {f"{table.name}_{what}" for table in PAGED_TABLES for what in ("page", "rows")}
    used |= {"add_totals", "empty_standings", "remove_groups", "remove_places", "remove_profiles", "remove_tokens"}
    used |= {"remove_totals", "revoke_tokens", "set_mutual"}
    assert set(CHECKS) == used
    # They are looked up beside those of the engine.
    assert not used.intersection(QUERIES)
