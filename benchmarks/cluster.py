"""The PostgreSQL server that is measured: durable, with the rows of the dataset, kept between runs."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from load import CONNECTIONS, THREADS, LoadError
from msgspec import Struct
from servers import Server
from tqdm import tqdm

from upspace.data.community import Community
from upspace.store import move_store

# The server that tests use is the one that is measured, with other settings.
sys.path.append(str(Path(__file__).parent.parent / "tests"))

from postgres_programs import PostgresError, programs
from postgres_server import USER, PostgresServer

__all__ = ["PostgresError", "PostgresServer"]  # for those who import this module

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
}
"""What a person would set on a machine like this; the rest is as PostgreSQL comes."""

_DATABASE = "community"
_PGBENCH = "pgbench"
_ACCOUNTS_A_SCALE = 100_000
_TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_MAJOR = re.compile(r"(\d+)")


class Move(Struct, frozen=True):
    """How long it took to move rows into an empty database, and how many they were, over all tables."""

    seconds: float
    rows: int


class Backends(Struct, frozen=True):
    """The connections of a worker, and the memory of the server's processes behind them, in millions of bytes.

    `own_mb` is what is theirs alone; the server's shared buffers are in neither.
    """

    connections: int
    own_mb: float


@contextmanager
def running_cluster(folder: Path, plan: Community) -> Iterator[PostgresServer]:
    """The server whose files are kept in `folder`, one set of them for each dataset and version of PostgreSQL."""
    shown = subprocess.run(
        [str(programs().folder / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    major = _MAJOR.search(shown)
    where = folder.resolve() / f"postgres-{major and major[1]}-{plan.seed}-{plan.account_count}-{plan.relation_count}"
    where.mkdir(parents=True, exist_ok=True)
    programs().own(where)
    server = PostgresServer(where, durable=True, settings=SETTINGS)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def filled_database(server: PostgresServer, source: Path) -> str:
    """The URL of the database with the rows of the file `source`, moved there unless they are there already."""
    url = server.url(_DATABASE)
    if not _exists(server, _DATABASE):
        server.execute(f"create database {_DATABASE}")
    [(is_migrated,)] = rows(url, "select to_regclass('schema_version') is not null")
    if not is_migrated or rows(url, "select not exists (select from standing)")[0][0]:
        fill(source, url)
    server.execute("vacuum analyze", _DATABASE)
    return url


def fill(source: Path, url: str) -> Move:
    """Move the rows of the file into the empty database; all of them arrive or none."""
    with tqdm(desc="moving", unit=" rows", unit_scale=True, file=sys.stderr) as bar:

        def watch(what: str, done: int, total: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total = total
            bar.update(done - bar.n)

        began = time.perf_counter()
        moved = asyncio.run(move_store(f"sqlite:///{source}", url, watch))
    return Move(round(time.perf_counter() - began, 1), sum(of.rows for of in moved))


@contextmanager
def copied_database(server: PostgresServer, name: str) -> Iterator[str]:
    """The URL of a copy of the filled database, to write to; nobody is connected to that one. Gone at the end."""
    with empty_database(server, name, f"template {_DATABASE} strategy file_copy") as url:
        yield url


@contextmanager
def empty_database(server: PostgresServer, name: str, how: str = "") -> Iterator[str]:
    """The URL of a database that is made anew, and gone at the end."""
    # An earlier run may have been ended before it could remove its own.
    server.execute(f"drop database if exists {name} with (force)")
    server.execute(f"create database {name} {how}")
    try:
        yield server.url(name)
    finally:
        server.execute(f"drop database {name} with (force)")


def rows(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query returns. Not within a running event loop."""

    async def fetch() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def single_selects_per_s(server: PostgresServer, accounts: int, seconds: int) -> float:
    """PostgreSQL's own limit of one query a request: pgbench looks up one row by its key, in prepared statements."""
    scale = max(1, accounts // _ACCOUNTS_A_SCALE)
    if not _exists(server, _PGBENCH):
        server.execute(f"create database {_PGBENCH}")
        _run_pgbench(server, "--initialize", f"--scale={scale}", "--quiet")
    shown = _run_pgbench(
        server,
        "--select-only",
        "--no-vacuum",
        "--protocol=prepared",
        f"--client={CONNECTIONS}",
        f"--jobs={THREADS}",
        f"--time={seconds}",
    )
    found = _TPS.search(shown)
    if found is None:
        raise LoadError(f"pgbench says nothing of tps: {shown.strip()}")
    return round(float(found[1]), 1)


def backends_of(server: PostgresServer, of: Server, workers: int = 1) -> Backends:
    """The connections of a server's workers to PostgreSQL, and the memory of those who answer them."""
    ports = [
        it.laddr.port
        for worker in of.workers(workers)
        for it in worker.net_connections("tcp")
        if it.raddr and it.raddr.port == server.port
    ]
    found = rows(
        server.url("postgres"), "select pid from pg_stat_activity where client_port = any($1::integer[])", ports
    )
    own = sum(psutil.Process(pid).memory_full_info().uss for (pid,) in found)
    return Backends(len(found), round(own / 1e6, 1))


def backup_mb_per_s(server: PostgresServer) -> float:
    """How fast PostgreSQL reads out all its files for a backup, which is thrown away."""
    [(before,)] = rows(server.url("postgres"), "select sum(pg_database_size(oid))::bigint from pg_database")
    began = time.perf_counter()
    target = ("--target=blackhole", "--wal-method=none", "--checkpoint=fast")
    programs().run("pg_basebackup", "--dbname", server.url("postgres"), *target)
    rate: float = round(before / (time.perf_counter() - began) / 1e6, 1)
    return rate


def _exists(server: PostgresServer, database: str) -> bool:
    return bool(rows(server.url("postgres"), "select from pg_database where datname = $1", database))


def _run_pgbench(server: PostgresServer, *arguments: str) -> str:
    found = programs()
    options = found.options()
    password = server.url(_PGBENCH).partition(f"{USER}:")[2].partition("@")[0]
    options["env"] |= {"PGPASSWORD": password}
    command = [str(found.folder / "pgbench"), "--host=127.0.0.1", f"--port={server.port}", f"--username={USER}"]
    ran: subprocess.CompletedProcess[str] = subprocess.run(
        [*command, *arguments, _PGBENCH], cwd="/", capture_output=True, text=True, **options
    )
    if ran.returncode != 0:
        raise LoadError(f"pgbench failed: {ran.stderr.strip()}")
    return ran.stdout
