"""Measures what a PostgreSQL server holds and serves, from which is computed what a cluster would.

    python benchmarks/scale.py

Needs the extra `bench` and wrk; it starts a PostgreSQL server of its own. Writes benchmarks/results/scale.json and
docs/scale.md.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from cases import CASES, Case, Targets
from cluster import (
    SETTINGS,
    PostgresServer,
    backends_of,
    backup_mb_per_s,
    empty_database,
    fill,
    rows,
    running_cluster,
    single_selects_per_s,
)
from command import say
from load import LoadError, run_wrk
from measure import target_files
from msgspec.structs import replace
from postgres_command import Start, run_command
from postgres_writes import Hot
from results import Run, run_of, write_json
from scale_report import RESULTS, write_page
from scale_results import ScaleResults, Served, TableSize
from servers import Server, single_query_server, upspace_server
from write_load import WriteLoad, is_clean, prepare_writes, write
from write_report import Writes

from upspace.model import Profile
from upspace.store import open_store
from upspace.store.tables import TABLES

_WORKERS = (1, 2)
_PAGES = ("followers", "followings", "followers_most")
_CHANGES_AT_ONCE = 8


class _Measured:
    """What the servers did, as it comes in."""

    def __init__(self) -> None:
        self.reads: dict[int, dict[str, list[Run]]] = {
            workers: {case.name: [] for case in CASES} for workers in _WORKERS
        }
        self.writes: dict[int, list[Writes]] = {workers: [] for workers in _WORKERS}
        self.hot: dict[int, list[Writes]] = {workers: [] for workers in _WORKERS}
        self.pages: dict[str, list[Run]] = {name: [] for name in _PAGES}
        self.selects: list[float] = []
        self.wal_bytes = 0.0
        self.written = 0.0


def measure(start: Start) -> ScaleResults:
    """All of it, in a database that is made for it: fill, weigh, serve, write accounts, delete one, check."""
    targets = start.targets
    with running_cluster(start.folder, start.community) as cluster, empty_database(cluster, "scale") as url:
        [(version,)] = rows(url, "show server_version")
        move = fill(start.source, url)
        cluster.execute("vacuum analyze", "scale")
        tables = {table.name: _size(url, table.name) for table in TABLES}
        [(database_bytes,)] = rows(url, "select pg_database_size(current_database())")
        backup = backup_mb_per_s(cluster)
        measured, served = _serve(cluster, url, start)
        account_writes = asyncio.run(_change_accounts(url, targets[Targets.EVERYONE], start.method.seconds))
        deleted = targets[Targets.MOST_FOLLOWED][0]
        [(followers,)] = rows(url, "select count(*) from follower where owner = $1", deleted)
        [(followings,)] = rows(url, "select count(*) from relation where owner = $1 and attribute = 2", deleted)
        deletion_s = asyncio.run(_delete(url, deleted))
        say("checking")
        began = time.perf_counter()
        clean = is_clean(url)
        check_s = round(time.perf_counter() - began, 1)
    return ScaleResults(
        date=start.date,
        machine=start.machine,
        versions=start.versions | {"postgresql": version},
        settings=SETTINGS,
        method=start.method,
        tables=tables,
        database_bytes=database_bytes,
        file_bytes=start.source.stat().st_size,
        move=move,
        backup_mb_per_s=backup,
        single_selects_per_s=measured.selects,
        served=served,
        pages=measured.pages,
        wal_bytes_per_write=round(measured.wal_bytes / measured.written, 1),
        account_writes_per_s=account_writes,
        deleted_followers=followers,
        deleted_followings=followings,
        deletion_s=deletion_s,
        check_s=check_s,
        clean_afterwards=clean,
    )


def _size(url: str, table: str) -> TableSize:
    [sizes] = rows(url, "select pg_table_size($1::text::regclass), pg_indexes_size($1::text::regclass)", table)
    [(count,)] = rows(url, f"select count(*) from {table}")  # noqa: S608  # names of ours
    return TableSize(count, *sizes)


def _serve(cluster: PostgresServer, url: str, start: Start) -> tuple[_Measured, list[Served]]:
    measured, method, targets = _Measured(), start.method, start.targets
    with tempfile.TemporaryDirectory() as folder, target_files(targets) as files, ExitStack() as stack:
        load = prepare_writes(url, start.source, Path(folder))
        hot = Hot(load)
        servers = {workers: stack.enter_context(upspace_server(url, "--workers", str(workers))) for workers in _WORKERS}
        alone = stack.enter_context(single_query_server(url))
        for number in range(method.rounds + 1):
            # The first round warms up caches, and is not counted.
            seconds = method.seconds if number else method.warm_up_seconds
            found = measured if number else _Measured()
            if not seconds:
                continue
            for case in CASES:
                for workers, server in servers.items():
                    run = _read(server, case, files[case.targets], seconds, number)
                    found.reads[workers][case.name].append(run)
                    say(f"round {number}, {case.name}, {workers} workers: {run.requests_per_s:,.0f}/s")
                if case.name in _PAGES:
                    found.pages[case.name].append(_read(alone, case, files[case.targets], seconds, number))
            found.selects.append(single_selects_per_s(cluster, len(targets[Targets.EVERYONE]), seconds))
            for workers, server in servers.items():
                _write(url, server, load, hot, workers, seconds, number, found)
        served = [
            Served(
                workers=workers,
                reads=measured.reads[workers],
                writes=measured.writes[workers],
                hot=measured.hot[workers],
                rss_mb=round(sum(worker.memory_info().rss for worker in server.workers(workers)) / 1e6, 1),
                backends=backends_of(cluster, server, workers),
            )
            for workers, server in servers.items()
        ]
    return measured, served


def _read(server: Server, case: Case, targets: Path, seconds: int, number: int) -> Run:
    return run_of(run_wrk(server.url, case.url("{mid}"), targets, seconds=seconds, seed=number))


def _write(
    url: str, server: Server, load: WriteLoad, hot: Hot, workers: int, seconds: int, number: int, found: _Measured
) -> None:
    before = _wal_bytes(url)
    found.writes[workers].append(write(server, load, seconds, len(_WORKERS) * number + workers))
    found.wal_bytes += _wal_bytes(url) - before
    found.written += found.writes[workers][-1].per_s * seconds
    found.hot[workers].append(hot.write(server, seconds))
    say(f"round {number}, writes, {workers} workers: {found.writes[workers][-1]}, hot {found.hot[workers][-1]}")


def _wal_bytes(url: str) -> int:
    [(written,)] = rows(url, "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
    return int(written)


async def _change_accounts(url: str, mids: Sequence[int], seconds: int) -> float:
    """Changes of random accounts a second, each a transaction with a number of the one row that gives them."""
    store = await open_store(url, connections=_CHANGES_AT_ONCE)
    chosen = random.Random(1)
    began = time.perf_counter()

    async def change_some() -> int:
        count = 0
        while time.perf_counter() - began < seconds:
            await store.change_account(chosen.choice(mids), _renamed)
            count += 1
        return count

    try:
        counts = await asyncio.gather(*(change_some() for _ in range(_CHANGES_AT_ONCE)))
    finally:
        await store.close()
    return round(sum(counts) / (time.perf_counter() - began), 1)


def _renamed(profile: Profile | None) -> Profile:
    if profile is None:
        raise LoadError("an account is gone that was there")
    return replace(profile, account=replace(profile.account, name=profile.account.name[::-1]))


async def _delete(url: str, mid: int) -> float:
    """The seconds that it takes to delete an account."""
    store = await open_store(url)
    try:
        began = time.perf_counter()
        await store.delete_account(mid, int(time.time()))
        return round(time.perf_counter() - began, 3)
    finally:
        await store.close()


def _write_all(results: ScaleResults) -> None:
    write_json(results, RESULTS)
    write_page(results)


if __name__ == "__main__":
    run_command("Measure what a PostgreSQL server holds and serves; compute what a cluster would.", measure, _write_all)
