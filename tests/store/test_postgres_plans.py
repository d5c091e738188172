"""Every statement of the PostgreSQL engine finds its rows through an index, and pages are read in its order.

A statement is planned for all values, so it must be planned well whoever asks first: while there is nothing in the
tables, or when all that is known of owners is the average.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest
from citus_stand_in import ask
from cluster_forms import DISTRIBUTED
from conftest import DEADLINE_S
from postgres_server import PostgresServer
from store_oracle import BLACK, FOLLOWING, SPECIAL, WHISPER, profile

from upspace.model import Relation
from upspace.store import open_store
from upspace.store.postgres import connection
from upspace.store.postgres.connection import Connection, Database
from upspace.store.postgres.reader import _DATED_PAGES, _DATED_QUERIES, _PAGES
from upspace.store.postgres.relations import QUERIES

ACCOUNTS = range(1, 3001)
RELATIONS = 30_000

STATEMENTS = {
    **QUERIES,
    **{f"{name} of many owners": sql for name, sql in _PAGES.items()},
    **{f"{name}, dated": sql for name, sql in _DATED_QUERIES.items()},
    **{f"{name} of many owners, dated": sql for name, sql in _DATED_PAGES.items()},
}

# The columns that rows are found by; the one row of change_counter needs none.
FOUND_BY = {name: (column,) for name, column in DISTRIBUTED.items()} | {
    "token": ("digest", "mid"),
    "account_change": ("number",),
    "mark": ("name",),
}

# All tokens are wanted; and those of a prefix once in a long while, by an administrator who has seen one in a log.
WITHOUT_INDEX = {"tokens": ["token"], "revoke_tokens_by_prefix": ["token"]}

# Special accounts first is an order that no index has.
SORTED_APART = {
    name + dated
    for name in ("followings_special_desc", "followings_special_asc", "group_members_special")
    for dated in ("", ", dated")
}


async def settle(url: str) -> None:
    """Owners with some ten relations each, and a few tokens and groups."""
    random = Random(5)
    relations: dict[tuple[int, int], Relation] = {}
    while len(relations) < RELATIONS:
        owner, other = random.sample(ACCOUNTS, 2)
        attribute = random.choice((WHISPER, FOLLOWING, FOLLOWING, FOLLOWING, BLACK))
        groups = random.sample((SPECIAL, 1, 2), random.randrange(3)) if attribute == FOLLOWING else ()
        relations[owner, other] = Relation(owner, other, attribute, random.randrange(10**9), tuple(groups))
    store = await open_store(url)
    await store.load(map(profile, ACCOUNTS), relations.values(), {"x": "1"})
    await store.close()


@pytest.fixture(scope="module")
def settled(postgres: PostgresServer) -> Iterator[str]:
    """A store that people have used for a while, of which there are statistics."""
    url = postgres.migrated_database()
    asyncio.run(settle(url))
    ask(
        url,
        "insert into own_group select mid, 10 * mid + n, 'group ' || n from standing, generate_series(1, 3) as n",
        "insert into token select sha256((mid || ' ' || n)::bytea), mid, n, null, null, ''"
        " from standing, generate_series(1, 3) as n",
        "insert into account_change select n, n from generate_series(10000, 20000) as n",
        "analyze",
    )
    yield url
    postgres.drop(url)


@pytest.fixture(scope="module")
def unsettled(postgres: PostgresServer) -> Iterator[str]:
    """A store that nobody has used yet."""
    url = postgres.migrated_database()
    yield url
    postgres.drop(url)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps of a plan."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


async def plan_of(db: Connection, sql: str) -> list[dict[str, Any]]:
    """How the server goes about a statement, for whatever values."""
    parameters = max((int(number) for number in re.findall(r"\$(\d+)", sql)), default=0)
    nulls = f"({', '.join(['null'] * parameters)})" if parameters else ""
    await db.execute(f"prepare planned as {sql}")
    try:
        plan = await db.fetchval(f"explain (format json) execute planned{nulls}")
    finally:
        await db.execute("deallocate planned")
    return list(nodes(json.loads(plan)[0]["Plan"]))


def plans(url: str, statements: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """How the server goes about each statement, asked over a connection of the engine."""

    async def all_plans() -> dict[str, list[dict[str, Any]]]:
        database = await Database.connect(url, connections=1, timeout_s=30)
        try:
            return await database.read(explain)
        finally:
            await database.close()

    async def explain(db: Connection) -> dict[str, list[dict[str, Any]]]:
        return {name: await plan_of(db, sql) for name, sql in statements.items()}

    return asyncio.run(all_plans())


def read_whole(plan: list[dict[str, Any]]) -> list[str]:
    """The tables whose rows are not found through an index."""
    found = []
    for node in plan:
        table = node.get("Relation Name", "")
        if table not in FOUND_BY or "Scan" not in node["Node Type"]:
            continue
        # What was found in an index is then read in the order in which it lies in the table.
        index = node["Plans"][0] if node["Node Type"] == "Bitmap Heap Scan" else node
        if not any(re.search(rf"\b{column}\b", index.get("Index Cond", "")) for column in FOUND_BY[table]):
            found.append(table)
    return found


def steps(plan: list[dict[str, Any]], *kinds: str) -> int:
    return sum(node["Node Type"] in kinds for node in plan)


@pytest.mark.parametrize("state", ["settled", "unsettled"])
def test_each_statement_finds_its_rows_through_an_index(state: str, request: pytest.FixtureRequest) -> None:
    found = plans(request.getfixturevalue(state), STATEMENTS)
    assert {name: tables for name, plan in found.items() if (tables := read_whole(plan))} == WITHOUT_INDEX


@pytest.mark.parametrize("state", ["settled", "unsettled"])
def test_rows_are_read_in_the_order_in_which_they_are_wanted(state: str, request: pytest.FixtureRequest) -> None:
    found = plans(request.getfixturevalue(state), STATEMENTS)
    assert {name for name, plan in found.items() if steps(plan, "Sort", "Incremental Sort")} == SORTED_APART
    # Rows of an owner that are kept aside are gone through again for each row that they are joined with.
    assert {name for name, plan in found.items() if steps(plan, "Materialize")} == set()


def test_a_statement_without_an_index_or_with_an_order_of_its_own_would_be_noticed(settled: str) -> None:
    found = plans(
        settled,
        {
            "by name": "select mid from account where name = $1",
            "by the second column": "select owner from relation where other = $1",
            "all": "select owner from relation order by owner, other",
            "by another order": "select other from follower where owner = $1 order by other",
            "joined": "select from relation join standing on standing.mid = relation.other where relation.owner = $1",
        },
    )
    whole = {name: read_whole(plan) for name, plan in found.items()}
    assert whole == {
        "by name": ["account"],
        "by the second column": ["relation"],
        "all": ["relation"],
        "by another order": [],
        "joined": [],
    }
    assert steps(found["by another order"], "Sort") == 1


def test_a_statement_is_planned_anew_after_a_while(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PLANNED_FOR_S", 0.01)

    async def planned(db: Connection) -> Any:
        await db.fetch(QUERIES["counters"], [1])
        return await db.fetchval(
            "select prepare_time from pg_prepared_statements where statement = $1", QUERIES["counters"]
        )

    async def wait() -> None:
        database = await Database.connect(postgres_url, connections=1, timeout_s=30)
        try:
            first = await database.read(planned)
            async with asyncio.timeout(DEADLINE_S):
                while await database.read(planned) == first:
                    pass
        finally:
            await database.close()

    asyncio.run(wait())


# Groups

OF_GROUPS = [name for name in QUERIES if "special" in name or name in ("group_members", "ungrouped", "group_counts")]


@pytest.mark.parametrize("name", OF_GROUPS)
def test_what_groups_cost_grows_with_their_rows_while_the_server_does_not_know_how_many_there_are(
    postgres_url: str, name: str
) -> None:
    owner, count, others = 1, 2_000, range(2, 10_000)
    followed = [Relation(owner, mid, FOLLOWING, mid, (SPECIAL,) if mid % 3 == 0 else ()) for mid in range(2, count + 2)]
    # On the average, owners have hardly more than one.
    fans = [Relation(mid, owner, FOLLOWING, mid) for mid in others]

    async def load() -> None:
        store = await open_store(postgres_url)
        await store.load(map(profile, (owner, *others)), [*followed, *fans])
        await store.close()

    async def explain(db: Connection) -> list[dict[str, Any]]:
        # Page sizes and starts where there are some, then the group.
        values = (owner, 50, 0, SPECIAL)[: len(set(re.findall(r"\$\d+", QUERIES[name])))]
        await db.execute(f"prepare planned as {QUERIES[name]}")
        plan = await db.fetchval(f"explain (analyze, format json) execute planned({', '.join(map(str, values))})")
        return list(nodes(json.loads(plan)[0]["Plan"]))

    async def look() -> list[dict[str, Any]]:
        await load()
        database = await Database.connect(postgres_url, connections=1, timeout_s=30)
        try:
            return await database.read(explain)
        finally:
            await database.close()

    plan = asyncio.run(look())
    handled = [
        (node["Actual Rows"] + node.get("Rows Removed by Join Filter", 0)) * node["Actual Loops"] for node in plan
    ]
    assert max(handled) <= 2 * count
