"""Migrating a PostgreSQL database: once, whole or not at all, and without being in the way of those who use it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from citus_stand_in import ask
from conftest import DEADLINE_S, Ran
from postgres_server import PostgresServer
from store_oracle import follow, profile

from upspace.model import Change
from upspace.store import distribute_store, migrate_store, open_store
from upspace.store.interface import (
    SchemaTooNewError,
    SchemaTooOldError,
    StoreError,
    StoreMissingError,
    StoreUnavailableError,
)
from upspace.store.migrate import Migration, read_migrations
from upspace.store.postgres import schema
from upspace.store.postgres.connection import PACKAGE
from upspace.store.urls import without_password

MIGRATIONS = read_migrations(PACKAGE)
NEWEST = len(MIGRATIONS)
ALL = (open_store, migrate_store, distribute_store)


def next_migration(sql: str) -> list[Migration]:
    """All migrations that there are, and one more."""
    return [*MIGRATIONS, Migration(NEWEST + 1, "more", 1, f"-- oldest compatible: 1\n{sql}")]


@pytest.fixture
def empty_url(postgres: PostgresServer) -> Iterator[str]:
    """A database with nothing in it."""
    url = postgres.new_database()
    yield url
    postgres.drop(url)


def version(url: str) -> object:
    return ask(url, "select version, oldest_compatible from schema_version")


def tables(url: str) -> set[str]:
    return {
        name for (name,) in ask(url, "select relname::text from pg_class where relnamespace = 'public'::regnamespace")
    }


# Which version there is


def test_of_ten_that_migrate_at_once_one_does_it_and_the_others_find_it_done(empty_url: str) -> None:
    async def ten() -> list[tuple[int, int]]:
        return await asyncio.gather(*(migrate_store(empty_url) for _ in range(10)))

    assert sorted(asyncio.run(ten())) == [(0, NEWEST), *[(NEWEST, NEWEST)] * 9]
    assert version(empty_url) == [(NEWEST, MIGRATIONS[-1].oldest_compatible)]
    assert ask(empty_url, "select count(*) from change_counter") == [(1,)]


def test_a_database_of_a_newer_version_is_refused_by_everyone_and_stays_as_it_is(postgres_url: str) -> None:
    ask(postgres_url, "update schema_version set version = 99, oldest_compatible = 98")
    for refusing in ALL:
        with pytest.raises(SchemaTooNewError) as refused:
            asyncio.run(refusing(postgres_url))
        assert str(refused.value) == (
            f"{without_password(postgres_url)} has schema version 99, "
            f"this upspace knows versions up to {NEWEST}: use a newer upspace"
        )
    assert version(postgres_url) == [(99, 98)]


def test_a_newer_database_that_this_version_can_still_work_with_is_accepted(postgres_url: str) -> None:
    ask(postgres_url, f"update schema_version set version = 99, oldest_compatible = {NEWEST}")  # noqa: S608  # a number of ours

    async def use() -> tuple[int, int]:
        store = await open_store(postgres_url)
        await store.load([profile(1)], [])
        await store.close()
        return await migrate_store(postgres_url)

    assert asyncio.run(use()) == (99, 99)


def test_a_database_of_an_older_version_is_refused_with_the_command_that_helps(postgres_url: str) -> None:
    ask(postgres_url, "update schema_version set version = 0, oldest_compatible = 0")
    for refusing in (open_store, distribute_store):
        with pytest.raises(SchemaTooOldError) as refused:
            asyncio.run(refusing(postgres_url))
        assert str(refused.value).endswith(f": run upspace migrate --store {without_password(postgres_url)}")


def test_a_database_that_was_never_migrated_is_no_store(empty_url: str) -> None:
    for refusing in (open_store, distribute_store):
        with pytest.raises(StoreMissingError) as refused:
            asyncio.run(refusing(empty_url))
        assert str(refused.value).endswith(f": run upspace migrate --store {without_password(empty_url)}")
    assert tables(empty_url) == set()


def test_a_database_that_is_not_there_is_no_store_and_is_not_made(postgres: PostgresServer) -> None:
    for refusing in ALL:
        with pytest.raises(StoreMissingError, match="no such database: create it first"):
            asyncio.run(refusing(postgres.url("nowhere")))


def test_a_database_whose_tables_are_in_the_way_is_not_migrated_and_keeps_them(empty_url: str) -> None:
    ask(empty_url, "create table token (a integer)", "insert into token values (5)")
    with pytest.raises(StoreUnavailableError, match="token"):
        asyncio.run(migrate_store(empty_url))
    assert ask(empty_url, "select a from token") == [(5,)]
    assert "standing" not in tables(empty_url)


# URLs


@pytest.mark.parametrize("url", ["postgresql:", "postgresql:x", "postgres:/x", "postgresql", "mysql://u:secret@h/d"])
def test_a_url_of_no_engine_is_refused_with_those_that_there_are(url: str) -> None:
    for refusing in (open_store, migrate_store):
        with pytest.raises(StoreUnavailableError, match="use sqlite:///path, sqlite:// or postgresql://"):
            asyncio.run(refusing(url))


@pytest.mark.parametrize(
    "rest",
    [
        *("h:port/d", "127.0.0.1:99999/d", "[::1/d", "no..host/d", f"{'x' * 70}.de/d"),
        *("h/d?sslmode=perhaps", "h/d?target_session_attrs=x", "h/d?target"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_in_one_line_without_its_password(rest: str) -> None:
    for refusing in ALL:
        with pytest.raises(StoreUnavailableError) as refused:
            asyncio.run(refusing(f"postgresql://user:secret@{rest}"))
        assert str(refused.value).startswith(f"postgresql://user:***@{rest}")
        assert "secret" not in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("password", ["sec/ret", "sec#ret", "sec?ret", "sec@ret", "sec:ret", "s@e/c:r@et"])
def test_a_password_that_is_not_written_as_it_should_be_is_shown_by_nobody(
    password: str, run_upspace: Callable[..., Ran], postgres: PostgresServer
) -> None:
    url = f"postgresql://user:{password}@127.0.0.1:{postgres.port}/d"
    assert without_password(url) == f"postgresql://user:***@127.0.0.1:{postgres.port}/d"
    for arguments in (("migrate",), ("check",), ("token", "list")):
        ran = run_upspace(*arguments, "--store", url)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("upspace: postgresql://user:***@")
        assert ran.err.count("\n") == 1
        assert not any(part in ran.err for part in ("sec", "ret", password))


def test_no_message_shows_the_password(postgres: PostgresServer, postgres_url: str, empty_url: str) -> None:
    password = postgres_url.partition("@")[0].rpartition(":")[2]
    wrong = postgres_url.replace(f":{password}@", ":a-wrong-one@")
    away = postgres_url.replace(f":{postgres.port}/", ":1/")
    parameter = f"{postgres_url.replace(f':{password}@', '@')}?password={password}"
    ask(postgres_url, "update schema_version set version = 99, oldest_compatible = 98")
    for url in (wrong, away, empty_url, parameter, postgres_url, postgres.url("nowhere")):
        for refusing in (open_store, distribute_store):
            with pytest.raises(StoreError) as refused:
                asyncio.run(refusing(url))
            assert "***" in str(refused.value)
            assert password not in str(refused.value)
            assert "a-wrong-one" not in str(refused.value)


# One step


def test_a_step_that_fails_in_the_middle_leaves_nothing(postgres_url: str) -> None:
    before = tables(postgres_url)
    failing = next_migration("create table half (a integer);\nselect 1 / 0;\n")
    with pytest.raises(StoreUnavailableError, match="division by zero"):
        asyncio.run(schema.migrate(postgres_url, failing))
    assert tables(postgres_url) == before
    assert version(postgres_url) == [(NEWEST, 1)]
    mended = next_migration("create table half (a integer);\n")
    assert asyncio.run(schema.migrate(postgres_url, mended)) == (NEWEST, NEWEST + 1)
    assert tables(postgres_url) == {*before, "half"}
    assert version(postgres_url) == [(NEWEST + 1, 1)]


ONLINE = """-- online: the table is large, and people go on writing

-- What was left by a run that did not come to its end.
drop index concurrently if exists relation_by_other;
create index concurrently relation_by_other on relation (other);
-- done
"""
WAITING = """
select count(*) from pg_stat_activity
where application_name = 'upspace migrate' and wait_event_type = 'Lock' and datname = current_database()
"""


@asynccontextmanager
async def in_transaction(url: str, statement: str) -> AsyncIterator[None]:
    """While a transaction that has executed a statement is open."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


async def until(url: str, query: str, expected: int) -> None:
    """Look until a number in the database is what it shall become."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(DEADLINE_S):
            while await connection.fetchval(query) != expected:
                pass
    finally:
        await connection.close()


def follow_it(owner: int, other: int) -> Callable[..., Change]:
    return lambda pair: Change(follow(owner, other), pair.backward)


def test_an_online_step_waits_for_who_is_in_the_middle_of_a_write_while_others_go_on(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would have given up its place many times over, if it were one that others have to wait behind.
    monkeypatch.setattr(schema, "_LOCK_TIMEOUT_MS", 1)

    async def migrate_while_others_write() -> tuple[int, int]:
        store = await open_store(postgres_url)
        await store.load(map(profile, range(1, 50)), [])
        async with in_transaction(postgres_url, "insert into relation values (48, 49, 2, false, 1, 0)"):
            migrating = asyncio.create_task(schema.migrate(postgres_url, next_migration(ONLINE)))
            await until(postgres_url, WAITING, 1)
            for other in range(2, 40):
                assert await store.change_relations(1, [other], follow_it(1, other)) == {}
            counters = await store.counters(1)
            assert counters is not None
            assert counters.following == 38
            await until(postgres_url, WAITING, 1)
            assert not migrating.done()
        await store.close()
        return await asyncio.wait_for(migrating, DEADLINE_S)

    assert asyncio.run(migrate_while_others_write()) == (NEWEST, NEWEST + 1)
    assert built(postgres_url) == [(True,)]


def built(url: str) -> object:
    """Whether the index is there and may be used."""
    return ask(url, "select indisvalid from pg_index where indexrelid = to_regclass('relation_by_other')")


def test_an_online_step_that_was_interrupted_is_done_again(postgres_url: str) -> None:
    async def interrupt() -> None:
        async with in_transaction(postgres_url, "insert into relation values (48, 49, 2, false, 1, 0)"):
            migrating = asyncio.create_task(schema.migrate(postgres_url, next_migration(ONLINE)))
            await until(postgres_url, WAITING, 1)
            await until(postgres_url, WAITING.replace("count(*)", "count(pg_terminate_backend(pid))"), 1)
            with pytest.raises(StoreUnavailableError):
                await migrating

    asyncio.run(interrupt())
    assert built(postgres_url) == [(False,)]
    assert version(postgres_url) == [(NEWEST, 1)]
    assert asyncio.run(schema.migrate(postgres_url, next_migration(ONLINE))) == (NEWEST, NEWEST + 1)
    assert built(postgres_url) == [(True,)]


@pytest.mark.parametrize("kind", ["", "-- online: nothing to be copied\n"], ids=["in a transaction", "online"])
def test_a_step_that_needs_a_table_to_itself_does_not_hold_up_who_comes_after_it(
    postgres_url: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_LOCK_TIMEOUT_MS", 100)
    step = next_migration(f"{kind}alter table account add column more text;\n")

    async def migrate_while_others_read() -> tuple[int, int]:
        store = await open_store(postgres_url)
        await store.load([profile(1)], [])
        async with in_transaction(postgres_url, "select from account"):
            migrating = asyncio.create_task(schema.migrate(postgres_url, step))
            for _ in range(3):
                await until(postgres_url, WAITING, 1)
                # Its turn comes after that of the migration, which waits for the reader that is still there.
                assert await store.account(1) is not None
            assert not migrating.done()
        await store.close()
        return await asyncio.wait_for(migrating, DEADLINE_S)

    assert asyncio.run(migrate_while_others_read()) == (NEWEST, NEWEST + 1)
