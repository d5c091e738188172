"""What a database without Citus needs to look like one of a cluster, as far as the engine looks.

The tables stay where they are. Whoever opens the store takes it for one that is spread over nodes, and sends it the
statements that a cluster can run.
"""

import asyncio
import os
from typing import Any

import asyncpg

from upspace.store import distribute_store, migrate_store

CITUS_URL = os.environ.get("UPSPACE_TEST_CITUS_URL", "")
"""A database on a real cluster for the tests of stores. They remove all that a store keeps in it."""

STAND_IN = """
create table pg_dist_partition (logicalrelid regclass primary key, spread_by text, beside text);
create function create_distributed_table(name regclass, spread_by text, colocate_with text) returns void
    language sql as 'insert into pg_dist_partition values ($1, $2, $3)'
"""

_ROWS = "standing, account, upstat, relation, follower, grouped, own_group, token, account_change, mark"


def ask(url: str, *statements: str) -> list[Any]:
    """Execute statements on a database, behind the back of every store; the rows of the last one."""

    async def execute() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            rows = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return [tuple(row) for row in rows]
        finally:
            await connection.close()

    return asyncio.run(execute())


def as_if_distributed(url: str) -> str:
    """Make the store at `url` look like one on a cluster."""
    ask(url, *STAND_IN.split(";"))
    asyncio.run(distribute_store(url))
    return url


def emptied_cluster() -> str:
    """An empty store on the real cluster."""
    asyncio.run(migrate_store(CITUS_URL))
    asyncio.run(distribute_store(CITUS_URL))
    ask(CITUS_URL, f"truncate {_ROWS}", "update change_counter set number = 0")
    return CITUS_URL
