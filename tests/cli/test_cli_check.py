"""`upspace check`."""

import json
import os
import pty
import subprocess
import termios
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from conftest import DEADLINE_S, Ran, command_line, environment, run_process
from small_community import ACCOUNTS, fill

from upspace.cli import checking
from upspace.store.interface import Finding, Progress
from upspace.store.sqlite import check as engine
from upspace.store.sqlite.store import SqliteStore

Upspace = Callable[..., Ran]


@pytest.fixture
def community(file_url: str) -> str:
    """A store in which everyone follows account 1, and is followed back."""
    fill(file_url)
    return file_url


def execute(url: str, sql: str) -> None:
    """Change facts behind the back of every store."""
    with closing(apsw.Connection(url.removeprefix("sqlite:///"))) as db:
        db.execute(sql)


@pytest.fixture
def check(run_upspace: Upspace, community: str) -> Upspace:
    return lambda *arguments: run_upspace("check", *arguments, "--store", community)


CLEAN = Ran(0, f"accounts checked: {ACCOUNTS}; everything agrees\n", "")


def test_a_store_in_which_everything_agrees_ends_with_0(check: Upspace) -> None:
    assert check() == check("--repair") == CLEAN


def test_an_empty_store_is_clean(run_upspace: Upspace, store_url: str) -> None:
    assert run_upspace("check", "--store", store_url) == Ran(0, "accounts checked: 0; everything agrees\n", "")


def test_what_is_wrong_is_a_line_and_ends_with_1_until_it_is_mended(check: Upspace, community: str) -> None:
    execute(community, "update standing set whisper = 7 where mid = 5; delete from upstat where mid = 6")
    lines = [
        "account 6 has no totals of plays, reads and likes, not even zeros",
        "account 5 has 7 as its counter whisper, but there are 0",
    ]
    counted = f"accounts checked: {ACCOUNTS}; wrong: 2; "
    found = Ran(1, "\n".join([*lines, counted + "to be mended with --repair: 2\n"]), "")
    assert check() == check() == found
    mended = [f"mended: {line}" for line in lines]
    assert check("--repair") == Ran(0, "\n".join([*mended, counted + "mended: 2\n"]), "")
    assert check() == CLEAN


def test_what_needs_a_person_ends_with_1_also_after_a_repair(
    check: Upspace, community: str, run_upspace: Upspace
) -> None:
    execute(community, "delete from account where mid = 5; update standing set whisper = 7 where mid = 6")
    person = "needs a person: account 5 has lost its profile and cannot be seen: add it again with upspace account add"
    whisper = "account 6 has 7 as its counter whisper, but there are 0"
    counted = f"accounts checked: {ACCOUNTS}; wrong: "
    last = counted + "2; to be mended with --repair: 1; for a person: 1\n"
    assert check() == Ran(1, f"{person}\n{whisper}\n{last}", "")
    last = counted + "2; mended: 1; for a person: 1\n"
    assert check("--repair") == Ran(1, f"{person}\nmended: {whisper}\n{last}", "")
    assert check("--repair") == check() == Ran(1, f"{person}\n{counted}1; for a person: 1\n", "")
    record = json.dumps({"mid": 5, "name": "again"}).encode()
    assert run_upspace("account", "add", "-", "--store", community, given=record).code == 0
    assert check() == CLEAN


@pytest.mark.parametrize(("wrong", "more"), [(20, 0), (21, 1), (50, 30)])
def test_only_the_first_of_a_kind_are_printed_and_the_others_counted(
    check: Upspace, community: str, wrong: int, more: int
) -> None:
    execute(community, f"delete from upstat where mid <= {wrong}; update relation set mutual = 0 where owner = 1")  # noqa: S608  # a number of ours
    ran = check()
    lines = ran.out.splitlines()
    assert checking._SHOWN == 20
    assert sum(line.startswith("account ") for line in lines) == 20
    assert sum(line.startswith("accounts 1 and ") for line in lines) == 20
    assert [line for line in lines if line.startswith("and ")] == [
        *([f"and {more} more: totals missing"] if more else []),
        f"and {ACCOUNTS - 1 - 20} more: mutual missing",
    ]
    assert f"wrong: {wrong + ACCOUNTS - 1};" in lines[-1]
    assert check("--repair").code == 0
    assert check() == CLEAN


def test_the_real_command_says_the_same(community: str) -> None:
    execute(community, "delete from follower")
    ran = run_process("check", "--store", community)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.splitlines()[-1].startswith(f"accounts checked: {ACCOUNTS}; wrong: ")
    assert run_process("check", "--repair", env={"UPSPACE_STORE": community}).code == 0
    assert run_process("check", "--store", community) == CLEAN


def test_progress_is_shown_on_a_terminal_and_only_on_stderr(community: str) -> None:
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (24, 100))
    ran = subprocess.run(
        command_line("check", "--store", community),
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment(),
        timeout=DEADLINE_S,
        check=True,
    )
    os.close(stderr)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "checking accounts" in shown
    assert f"{ACCOUNTS}.0/{ACCOUNTS}.0" in shown
    assert ran.stdout.decode() == CLEAN.out


def test_help_says_what_is_checked_and_mended(run_upspace: Upspace) -> None:
    ran = run_upspace("check", "--help")
    assert (ran.code, ran.err) == (0, "")
    for word in ("--repair", "--store", "exit code", "counters", "followers", "needing a person"):
        assert word in " ".join(ran.out.split())


def test_a_store_that_is_not_there_is_one_line(run_upspace: Upspace, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    line = f"upspace: {url}: there is no such file: create it with upspace migrate --store {url}\n"
    assert run_upspace("check", "--store", url) == run_upspace("check", "--repair", "--store", url) == Ran(1, "", line)


def test_a_store_that_breaks_on_the_way_is_one_line(check: Upspace, community: str) -> None:
    execute(community, "drop table own_group")
    ran = check()
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("upspace: ")
    assert "own_group" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("options", [(), ("--repair",)])
def test_nobody_who_writes_waits_for_a_check(
    check: Upspace, community: str, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    execute(community, "delete from follower where owner > 1")
    monkeypatch.setattr(engine, "_CHUNK_ROWS", 10)
    undisturbed = SqliteStore.check
    writes = 0

    async def disturbed(self: SqliteStore, *, repair: bool) -> AsyncGenerator[Finding | Progress, None]:
        """A check after each of whose steps somebody else writes, and takes no wait for an answer."""
        nonlocal writes
        with closing(apsw.Connection(community.removeprefix("sqlite:///"))) as second:
            second.set_busy_timeout(0)
            async for step in undisturbed(self, repair=repair):
                yield step
                second.execute("begin immediate; update account set level = level where mid = 1; commit")
                writes += 1

    monkeypatch.setattr(SqliteStore, "check", disturbed)
    assert check(*options).code == (0 if options else 1)
    assert writes > ACCOUNTS
