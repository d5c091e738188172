"""The tables: migrating them while others read and write, spreading them over a cluster, and which version there is."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed, wait_random

from upspace.store.interface import StoreMissingError, StoreUnavailableError
from upspace.store.migrate import Migration, check_version, read_migrations
from upspace.store.postgres.connection import FAULTS, PACKAGE, Connection, connecting, translate
from upspace.store.urls import without_password

# What the processes that migrate agree on: "upspace" as a number, below zero, as accounts have the others.
_TURN = -int.from_bytes(b"upspace", "big")
_CONNECT_TIMEOUT_S = 60
# A statement that waits for an exclusive lock holds up all who come after it, so it gives up soon and comes again.
_LOCK_TIMEOUT_MS = 1_000
_PATIENCE_S = 600
_ONLINE = re.compile(r"^-- online: .*$", re.MULTILINE)
_END_OF_STATEMENT = re.compile(r";[ \t]*$", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*--.*$", re.MULTILINE)
_CONCURRENTLY = re.compile(r"\bindex\s+concurrently\b", re.IGNORECASE)

_VERSION_TABLE = """
create table if not exists schema_version (version integer not null, oldest_compatible integer not null)
"""

# By the account that rows belong to, so that all of an account is on one node. A token is looked up by its digest.
_DISTRIBUTED = (
    ("standing", "mid", "none"),
    ("account", "mid", "standing"),
    ("upstat", "mid", "standing"),
    ("relation", "owner", "standing"),
    ("follower", "owner", "standing"),
    ("grouped", "owner", "standing"),
    ("own_group", "owner", "standing"),
    ("token", "digest", "none"),
)


async def migrate(url: str, migrations: Sequence[Migration] | None = None) -> tuple[int, int]:
    """Bring the database at `url` up to date; its version before and after. Others may read and write meanwhile.

    Of several processes one migrates, the others wait and find it done. Raises SchemaTooNewError, StoreMissingError if
    there is no such database, StoreUnavailableError or StoreTimeoutError.
    """
    known = read_migrations(PACKAGE) if migrations is None else migrations
    async with _connection(url) as db:
        await _take_turn(db)
        await db.execute(_VERSION_TABLE)
        before, oldest_compatible = await _version(db)
        if before > len(known):
            check_version(without_password(url), before, oldest_compatible, known)
        for migration in known[before:]:
            await _apply(db, migration)
    return before, max(before, len(known))


async def check_schema(url: str, db: Connection) -> None:
    """Raise StoreMissingError, SchemaTooOldError or SchemaTooNewError unless this version can serve the database."""
    shown = without_password(url)
    if not await db.fetchval("select to_regclass('schema_version') is not null"):
        raise StoreMissingError(f"{shown} is not a store yet: run upspace migrate --store {shown}")
    check_version(shown, *await _version(db), read_migrations(PACKAGE))


async def is_distributed(db: Connection) -> bool:
    """Whether the tables are spread over a Citus cluster."""
    if not await db.fetchval("select to_regclass('pg_dist_partition') is not null"):
        return False
    return bool(
        await db.fetchval("select exists (select from pg_dist_partition where logicalrelid = to_regclass('standing'))")
    )


async def distribute(url: str) -> list[str]:
    """Spread the tables of the Citus cluster's database at `url` over its nodes; those that were not spread before.

    Raises StoreUnavailableError if the database has no Citus, otherwise as `migrate`.
    """
    async with _connection(url) as db:
        await check_schema(url, db)
        await _take_turn(db)
        if not await db.fetchval("select to_regclass('pg_dist_partition') is not null"):
            raise StoreUnavailableError(
                f"{without_password(url)} has no Citus to spread tables with: "
                "add its nodes and run `create extension citus` in this database first"
            )
        spread = []
        async with db.transaction():
            await db.execute("set local lock_timeout = 0")
            there = {row[0] for row in await db.fetch("select logicalrelid::regclass::text from pg_dist_partition")}
            for table, column, beside in _DISTRIBUTED:
                if table not in there:
                    await db.execute(
                        "select create_distributed_table($1::regclass, $2, colocate_with => $3)", table, column, beside
                    )
                    spread.append(table)
    return spread


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Connection]:
    with connecting(url):
        db: Connection = await asyncpg.connect(
            url,
            timeout=_CONNECT_TIMEOUT_S,
            server_settings={"application_name": "upspace migrate", "lock_timeout": str(_LOCK_TIMEOUT_MS)},
        )
    try:
        yield db
    except FAULTS as error:
        raise translate(url, error) from error
    finally:
        await db.close()


async def _take_turn(db: Connection) -> None:
    """Wait until no other process migrates.

    It is asked for again and again: who waited inside a statement would itself be waited for by an index that is built
    while others write.
    """
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(asyncpg.LockNotAvailableError),
        stop=stop_after_delay(_PATIENCE_S),
        wait=wait_random(0.01, 0.1),
        reraise=True,
    )

    async def ask() -> None:
        if not await db.fetchval("select pg_try_advisory_lock($1)", _TURN):
            raise asyncpg.LockNotAvailableError("another process is migrating")

    await attempts(ask)


async def _apply(db: Connection, migration: Migration) -> None:
    """One step: in a transaction, or, if it says that it is online, statement by statement and then noted as done."""
    if _ONLINE.search(migration.sql):
        for statement in _END_OF_STATEMENT.split(_COMMENT.sub("", migration.sql)):
            if statement.strip():
                await _apply_online(db, statement)
        async with db.transaction():
            await _note(db, migration)
        return

    async def apply() -> None:
        async with db.transaction():
            await db.execute(migration.sql)
            await _note(db, migration)

    await _patience()(apply)


async def _apply_online(db: Connection, statement: str) -> None:
    if not _CONCURRENTLY.search(statement):
        await _patience()(db.execute, statement)
        return
    # It holds up nobody while it waits for those who write; an index that was given up is there and of no use.
    await db.execute("set lock_timeout = 0")
    await db.execute(statement)
    await db.execute("reset lock_timeout")


def _patience() -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(asyncpg.LockNotAvailableError),
        stop=stop_after_delay(_PATIENCE_S),
        wait=wait_fixed(0.2),
        reraise=True,
    )


async def _note(db: Connection, migration: Migration) -> None:
    await db.execute("delete from schema_version")
    await db.execute("insert into schema_version values ($1, $2)", migration.version, migration.oldest_compatible)


async def _version(db: Connection) -> tuple[int, int]:
    """The schema version of a database and the oldest one compatible with it; zeros before the first migration."""
    row = await db.fetchrow("select version, oldest_compatible from schema_version")
    return (0, 0) if row is None else (row[0], row[1])
