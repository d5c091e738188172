"""Measures loading a large community from files, beside the database's own program for it.

    python benchmarks/bulk_load.py --store sqlite
    python benchmarks/bulk_load.py --store postgres --accounts 1000000 --follows 4740000

Needs the extra `bench`, for SQLite the sqlite3 shell, and room: about 40 GB for the default size. It makes the files,
imports them, checks the store, exports it, imports that again, compares, and lets the bare program load the same rows.
Writes benchmarks/results/bulk-STORE.json. The SQLite store is kept in benchmarks/.data/bulk for other measurements.
"""

import argparse
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from bulk.commands import run, upspace
from bulk.community import Files, make_files
from bulk.peers import postgres_copy, sqlite_import
from bulk.results import BulkResults, Stage
from cluster import PostgresServer, empty_database, rows, running_cluster
from command import at_least, ending_politely, look_at_machine, say
from dataset import FOLDER
from machine import versions_of
from results import Machine, write_json

from upspace.data.community import Community

RESULTS = Path(__file__).with_name("results")

SQLITE, POSTGRES = "sqlite", "postgres"


def main() -> None:
    """Measure and write; a failure is one line and exit status 1."""
    parser = argparse.ArgumentParser(description="Measure loading a large community from files.")
    number = at_least(1_000)
    parser.add_argument("--store", choices=(SQLITE, POSTGRES), default=SQLITE, help="the engine (sqlite)")
    parser.add_argument("--accounts", type=number, default=10_000_000, metavar="N", help="accounts (10,000,000)")
    parser.add_argument("--follows", type=number, default=47_400_000, metavar="N", help="follows (47,400,000)")
    parser.add_argument("--memory-mb", type=number, default=1_000, metavar="N", help="of the import (1,000)")
    parser.add_argument("--folder", type=Path, default=FOLDER / "bulk", help="where files and stores are made")
    parser.add_argument("--results", type=Path, metavar="FILE", help="where the figures go, as JSON")
    given = parser.parse_args()
    with ending_politely(parser.prog):
        machine = look_at_machine()
        say("making files")
        # In a process of its own: the memory of this one counts for those that it starts.
        with ProcessPoolExecutor(1, get_context("spawn")) as processes:
            files = processes.submit(make_files, given.folder, given.accounts, given.follows).result()
        measure = _measure_sqlite if given.store == SQLITE else _measure_postgres
        results = measure(machine, files, given)
    path = given.results or RESULTS / f"bulk-{given.store}.json"
    write_json(results, path)
    say(f"{results.follows_per_s:,.0f} follows/s, {results.of_bare:.2f} of bare; written: {path}")


def store_of(folder: Path, files: Files) -> Path:
    """The SQLite store that is kept of these files."""
    return folder / f"{files.users.name.removesuffix('-users.csv')}.db"


def _measure_sqlite(machine: Machine, files: Files, given: argparse.Namespace) -> BulkResults:
    store = store_of(given.folder, files)
    _remove(store)
    with tempfile.TemporaryDirectory(dir=given.folder) as where:
        again = Path(where, "again.db")
        found = _round(f"sqlite:///{store}", f"sqlite:///{again}", files, Path(where), given.memory_mb)
        _remove(again)
        say("bare import")
        bare = sqlite_import(store, Path(where))
    shell = run(["sqlite3", "--version"])[1].split()[0]
    return _results(machine, files, given, found, bare, store.stat().st_size, {"sqlite3 shell": shell})


def _measure_postgres(machine: Machine, files: Files, given: argparse.Namespace) -> BulkResults:
    plan = Community(seed=1, accounts=files.accounts, relations=files.follows)
    with ExitStack() as stack:
        where = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=given.folder)))
        cluster: PostgresServer = stack.enter_context(running_cluster(given.folder, plan))
        url = stack.enter_context(empty_database(cluster, "bulk"))
        with empty_database(cluster, "again") as again:
            found = _round(url, again, files, where, given.memory_mb)
        say("bare copy")
        with empty_database(cluster, "bare") as bare_url:
            upspace(bare_url, "migrate")
            bare = postgres_copy(url, bare_url, where)
        [(version,)] = rows(url, "show server_version")
        [(size,)] = rows(url, "select pg_database_size(current_database())")
        results = _results(machine, files, given, found, bare, size, {"postgresql": version})
    shutil.rmtree(cluster.folder, ignore_errors=True)
    return results


class _Round(dict[str, Stage]):
    """The stages of ours by name, and what they said."""

    findings = ""
    is_equal = False
    rows = 0


def _round(url: str, again: str, files: Files, where: Path, memory_mb: int) -> _Round:
    """Import, check, export, import that, compare."""
    found = _Round()
    memory = ("--memory-mb", str(memory_mb), "--temporary-folder", str(where))
    say("import")
    given = ("--users", str(files.users), "--relations", str(files.relations))
    found["load"], _ = upspace(url, "import", *given, *memory)
    say("check")
    found["check"], printed = upspace(url, "check")
    found.findings = printed.strip().splitlines()[-1]
    say("export")
    exported = (str(where / "users.csv"), str(where / "relations.csv"))
    found["export"], _ = upspace(url, "export", "--users", exported[0], "--relations", exported[1])
    say("import again")
    found["load_again"], _ = upspace(again, "import", "--users", exported[0], "--relations", exported[1], *memory)
    for path in exported:
        Path(path).unlink()
    say("checksums")
    _, sums = upspace(url, "checksum")
    found.is_equal = sums == upspace(again, "checksum")[1]
    found.rows = sum(int(line.split()[1].replace(",", "")) for line in sums.splitlines())
    return found


def _results(
    machine: Machine,
    files: Files,
    given: argparse.Namespace,
    found: _Round,
    bare: Stage,
    store_bytes: int,
    versions: dict[str, str],
) -> BulkResults:
    return BulkResults(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine,
        versions=versions_of("upspace", "apsw", "asyncpg", "duckdb") | versions,
        engine=given.store,
        accounts=files.accounts,
        follows=files.follows,
        rows=found.rows,
        files_mb=round((files.users.stat().st_size + files.relations.stat().st_size) / 1e6),
        store_mb=round(store_bytes / 1e6),
        memory_limit_mb=given.memory_mb,
        findings=found.findings,
        is_equal=found.is_equal,
        bare=bare,
        **found,
    )


def _remove(store: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
