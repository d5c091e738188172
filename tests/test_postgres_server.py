"""The tests' own PostgreSQL server: what other tests rely on."""

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from conftest import DEADLINE_S
from postgres_programs import VARIABLE, PostgresError, installed, programs, within_reach
from postgres_server import PostgresServer, server_folder


def ask(url: str, query: str) -> Any:
    """The only value of a query's only row."""

    async def value() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(value())


@pytest.fixture
def durable() -> Iterator[PostgresServer]:
    with server_folder(durable=True) as folder:
        server = PostgresServer(folder, durable=True)
        yield server
        server.stop("immediate")


def test_what_was_committed_is_there_after_a_crash(durable: PostgresServer) -> None:
    durable.start()
    url = durable.new_database()
    ask(url, "create table kept as select 7 as number")
    durable.stop("immediate")
    assert not durable.is_running
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        ask(url, "select 1")
    durable.start()
    assert durable.is_running
    assert ask(url, "select number from kept") == 7
    assert "automatic recovery in progress" in durable.log.read_text()


def test_a_server_without_durability_waits_for_no_disk_and_a_durable_one_does(
    postgres: PostgresServer, durable: PostgresServer
) -> None:
    durable.start()
    for server, expected in ((postgres, "off"), (durable, "on")):
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert ask(server.url("postgres"), f"show {setting}") == expected
        assert ask(server.url("postgres"), "show autovacuum") == "on"


def test_databases_are_apart_and_can_be_dropped_while_in_use(postgres: PostgresServer) -> None:
    async def scenario(kept: str, dropped: str) -> None:
        connection = await asyncpg.connect(kept)
        try:
            await connection.execute("create table apart ()")
        finally:
            await connection.close()
        in_use = await asyncpg.connect(dropped)
        try:
            assert await in_use.fetchval("select to_regclass('apart')") is None
            await asyncio.to_thread(postgres.drop, dropped)
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
                await in_use.fetchval("select 1")
        finally:
            await in_use.close()

    kept, dropped = postgres.new_database(), postgres.new_database()
    asyncio.run(scenario(kept, dropped))
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        ask(dropped, "select 1")
    postgres.drop(kept)


def test_a_migrated_database_is_a_store_of_its_own(postgres: PostgresServer) -> None:
    first, second = postgres.migrated_database(), postgres.migrated_database()
    assert first != second
    for url in (first, second):
        assert ask(url, "select count(*) from account") == 0
        postgres.drop(url)


def test_settings_hold_from_the_next_start_on(durable: PostgresServer) -> None:
    durable.start()
    port = durable.port
    durable.settings["statement_timeout"] = "1234"
    durable.stop()
    durable.start()
    assert durable.port == port
    assert ask(durable.url("postgres"), "show statement_timeout") == "1234ms"


def test_a_server_that_does_not_start_shows_why(durable: PostgresServer) -> None:
    durable.settings["no_such_setting"] = "1"
    with pytest.raises(PostgresError, match=r"did not start(?s:.)*no_such_setting"):
        durable.start()
    assert not durable.is_running


def test_a_standby_shows_what_its_primary_holds_and_takes_no_writes(postgres: PostgresServer) -> None:
    with server_folder(durable=False) as folder:
        standby = postgres.standby(folder)
        try:
            standby.start()
            assert ask(standby.url("postgres"), "select pg_is_in_recovery()") is True
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                standby.execute("create table refused ()")
        finally:
            standby.stop()


# The folder is the parent's, who also removes it, and so are the programs.
HOLDER = """
import sys
from pathlib import Path
from postgres_server import PostgresServer

server = PostgresServer(Path(sys.argv[1]), durable=False)
server.start()
print("started", flush=True)
sys.stdin.read()
"""


def test_a_server_ends_with_the_tests_even_if_they_are_killed() -> None:
    with server_folder(durable=False) as folder:
        extra = {"PYTHONPATH": os.pathsep.join(sys.path), VARIABLE: str(programs().folder)}
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | extra,
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"started\n"
            pid = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
            server = os.pidfd_open(pid)
            holder.send_signal(signal.SIGKILL)
        ended, _, _ = select.select([server], [], [], DEADLINE_S)
        os.close(server)
        if not ended:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert ended, "the server has outlived the process that started it"


def test_programs_in_a_folder_that_others_cannot_enter_are_run_all_the_same(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    package = installed().parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, tmp_path / part.name)
    found = within_reach(tmp_path / installed().relative_to(package.parent))
    found.run("initdb", "--version")
    found.run("pg_basebackup", "--version")


def test_a_folder_without_programs_is_named(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match="no-such-folder"):
        within_reach(tmp_path / "no-such-folder")
