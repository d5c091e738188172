"""`upspace move`."""

import asyncio
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import asyncpg
import pytest
from conftest import DEADLINE_S, Ran, command_line, environment, peak_kib, read_line, run_process
from postgres_server import PostgresServer
from small_community import ACCOUNTS, fill
from stores import ENGINES, Stores

from upspace.store import migrate_store
from upspace.store.tables import TABLES

Upspace = Callable[..., Ran]

SQLITE = "sqlite:///"

TARGETS = pytest.mark.parametrize("to", ENGINES)

ROWS = {
    "standing": ACCOUNTS,
    "account": ACCOUNTS,
    "upstat": ACCOUNTS,
    "relation": 2 * (ACCOUNTS - 1),
    "follower": 2 * (ACCOUNTS - 1),
    "grouped": 0,
    "own_group": 0,
    "token": 0,
    "mark": 1,
}
NOTHING = dict.fromkeys(ROWS, 0)

# The command, which stops where it has come so far, says so, and goes on when its input ends.
HELD = """
import sys

from upspace.cli import main
from upspace.store import moving

*_, share = sys.argv
del sys.argv[-1]
went = moving._Way.went


def held(way, what, rows):
    went(way, what, rows)
    if way._done >= float(share) * way._total and not sys.stdin.closed:
        print("held", what, flush=True)
        sys.stdin.read()
        sys.stdin.close()


moving._Way.went = held
main()
"""


@pytest.fixture
def community(file_url: str) -> str:
    """A store in which everyone follows account 1, and is followed back."""
    fill(file_url, {"community": "small"})
    return file_url


@pytest.fixture
def target(stores: Stores, to: str) -> Iterator[str]:
    """An empty store of the engine."""
    url = stores.new(to)
    yield url
    stores.drop(url)


def counts(url: str) -> dict[str, int]:
    """How many rows each table has."""
    queries = {table.name: f"select count(*) from {table.name}" for table in TABLES}  # noqa: S608  # names of ours
    if url.startswith(SQLITE):
        with closing(apsw.Connection(url.removeprefix(SQLITE))) as db:
            return {name: db.execute(query).get for name, query in queries.items()}

    async def read() -> dict[str, int]:
        connection = await asyncpg.connect(url)
        try:
            return {name: await connection.fetchval(query) for name, query in queries.items()}
        finally:
            await connection.close()

    return asyncio.run(read())


def shown(url: str) -> str:
    return re.sub(r"(//upspace):[^@]+@", r"\1:***@", url)


@TARGETS
def test_it_says_what_has_arrived(run_upspace: Upspace, community: str, target: str) -> None:
    ran = run_upspace("move", "--from", community, "--to", target)
    assert (ran.code, ran.err) == (0, "")
    *lines, last = ran.out.splitlines()
    assert re.findall(r"^(\w+) +(\d+) rows  checksum [0-9a-f]{16}$", "\n".join(lines), re.MULTILINE) == [
        (name, str(rows)) for name, rows in ROWS.items()
    ]
    assert len({len(line) for line in lines}) == 1
    assert last == f"moved from {community} to {shown(target)}"
    assert counts(target) == ROWS


def test_there_and_back_the_checksums_stay_as_they_are(
    run_upspace: Upspace, community: str, postgres_url: str, tmp_path: Path
) -> None:
    back = f"{SQLITE}{tmp_path / 'back.db'}"
    there = run_upspace("move", "--from", community, "--to", postgres_url)
    again = run_upspace("move", "--from", postgres_url, "--to", back)
    assert (there.code, again.code) == (0, 0)
    assert there.out.splitlines()[:-1] == again.out.splitlines()[:-1]
    assert run_upspace("check", "--store", back).code == 0


def test_the_real_command_reads_its_variables_and_prints_no_password(
    community: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    empty = postgres.new_database()
    env = {"UPSPACE_FROM": community, "UPSPACE_TO": empty}
    ran = run_process("move", env=env)
    assert (ran.code, ran.err) == (0, "")
    again = run_process("move", env=env)
    line = f"upspace: {shown(empty)} is not empty, as it has to be: it holds accounts ({ACCOUNTS})\n"
    assert again == Ran(1, "", line)
    password = empty.partition("upspace:")[2].partition("@")[0]
    assert password
    assert password not in ran.out + again.err
    postgres.drop(empty)


@pytest.mark.parametrize("missing", ["--from", "--to"])
def test_both_stores_must_be_given(run_upspace: Upspace, community: str, missing: str) -> None:
    ran = run_upspace("move", "--to" if missing == "--from" else "--from", community)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("upspace: ")
    assert missing in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(("source", "to"), [("sqlite://", "sqlite:///x"), ("sqlite:///x", "sqlite:///x"), ("x", "y")])
def test_what_cannot_be_moved_is_one_line(run_upspace: Upspace, source: str, to: str) -> None:
    ran = run_upspace("move", "--from", source, "--to", to)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("upspace: ")
    assert ran.err.count("\n") == 1


def test_a_row_that_the_target_cannot_hold_is_one_line(run_upspace: Upspace, community: str, postgres_url: str) -> None:
    with closing(apsw.Connection(community.removeprefix(SQLITE))) as db:
        db.execute("update account set sign = char(0) where mid = 5")
    ran = run_upspace("move", "--from", community, "--to", postgres_url)
    line = f"upspace: {shown(postgres_url)} cannot hold account 5: its sign has the character U+0000"
    assert ran == Ran(1, "", line + ", which PostgreSQL does not know\n")
    assert counts(postgres_url) == NOTHING


def test_progress_is_shown_on_a_terminal_and_only_on_stderr(community: str, tmp_path: Path) -> None:
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (24, 100))
    ran = subprocess.run(
        command_line("move", "--from", community, "--to", f"{SQLITE}{tmp_path / 'new.db'}"),
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment(),
        timeout=DEADLINE_S,
        check=True,
    )
    os.close(stderr)
    bar = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "verifying mark" in bar
    assert f"{2 * sum(ROWS.values())}/{2 * sum(ROWS.values())}" in bar
    assert ran.stdout.count(b"\n") == len(ROWS) + 1


@contextmanager
def held(source: str, target: str, share: float) -> Iterator[subprocess.Popen[bytes]]:
    """The command, once so much of its work is done; it is killed at the end if it has not ended."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", HELD, "move", "--from", source, "--to", target, str(share)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert read_line(process.stdout).startswith("held ")
            yield process
        finally:
            process.kill()


@TARGETS
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_a_command_that_is_killed_leaves_an_empty_store(community: str, target: str, share: float) -> None:
    with held(community, target, share) as process:
        process.kill()
        assert process.wait(DEADLINE_S) == -signal.SIGKILL
    assert counts(target) == NOTHING
    assert run_process("move", "--from", community, "--to", target).code == 0
    assert counts(target) == ROWS


@TARGETS
def test_a_command_that_is_interrupted_says_so_and_leaves_an_empty_store(community: str, target: str) -> None:
    with held(community, target, 0.4) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err) == (130, b"", b"\nupspace: interrupted\n")
    assert counts(target) == NOTHING


@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit of another process")
def test_a_file_on_a_full_disk_is_left_empty(community: str, tmp_path: Path) -> None:
    target = f"{SQLITE}{tmp_path / 'new.db'}"
    asyncio.run(migrate_store(target))
    with held(community, target, 0.1) as process:
        # What is held in memory so far has to go into a file in the end, which may not grow.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4_096, resource.RLIM_INFINITY))
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (1, b"")
    assert re.fullmatch(rf"upspace: {target}: .*(full|I/O error).*\n", err.decode())
    assert counts(target) == NOTHING
    assert run_process("move", "--from", community, "--to", target).code == 0


@TARGETS
def test_a_server_that_is_lost_on_the_way_is_one_line(
    community: str, to: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    """To PostgreSQL, and from it: then it is the source that is lost."""
    database = postgres.migrated_database()
    source, target = community, database
    if to == "sqlite":
        assert run_process("move", "--from", community, "--to", database).code == 0
        source, target = database, f"{SQLITE}{tmp_path / 'new.db'}"
    name = database.rpartition("/")[2]
    with held(source, target, 0.2) as process:
        postgres.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")  # noqa: S608  # ours
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (1, b"")
    assert err.startswith(f"upspace: {shown(database)}: ".encode())
    assert err.count(b"\n") == 1
    assert counts(target) == NOTHING
    postgres.drop(database)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory of a process in units of Linux")
def test_ten_times_as_many_rows_take_no_more_memory(tmp_path: Path, postgres: PostgresServer) -> None:
    peaks: dict[str, list[int]] = {"there": [], "back": []}
    for relations in (30_000, 300_000):
        source, back = (f"{SQLITE}{tmp_path / f'{name}-{relations}.db'}" for name in ("source", "back"))
        asyncio.run(migrate_store(source))
        with closing(apsw.Connection(source.removeprefix(SQLITE))) as db:
            db.execute(MANY, (relations,))
        database = postgres.migrated_database()
        peaks["there"].append(peak_kib("move", "--from", source, "--to", database))
        peaks["back"].append(peak_kib("move", "--from", database, "--to", back))
        postgres.drop(database)
        assert counts(back)["relation"] == counts(back)["follower"] == relations
    for small, large in peaks.values():
        assert large < small + 8 * 1024, peaks


MANY = """
create temp table many as
    with recursive numbers (number) as (select 0 union all select number + 1 from numbers where number < ?1 - 1)
    select number / 100 as owner, 1000000 + number % 100 as other, number as mtime from numbers;
insert into relation (owner, other, attribute, mtime) select owner, other, 2, mtime from many;
insert into follower (owner, mtime, other) select other, mtime, owner from many;
"""
