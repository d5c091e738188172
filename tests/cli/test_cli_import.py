"""`upspace import`, `upspace export` and `upspace checksum`."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import DEADLINE_S, Ran, command_line, environment, peak_kib, read_line, run_process
from stores import ENGINES, Stores

Upspace = Callable[..., Ran]

SQLITE = "sqlite:///"

TABLE = re.compile(r"^(\w+) +([\d,]+) rows  checksum ([0-9a-f]{16})$", re.MULTILINE)

# The command, which counts the steps that it shows, and is killed at one of them; 0 lets it come to its end.
KILLED = """
import atexit, os, signal, sys

from upspace.cli import main
from upspace.cli.bars import Bars

fatal = int(sys.argv.pop())
steps = 0
show = Bars._show


def counting(bars, *step):
    global steps
    steps += 1
    if steps == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    show(bars, *step)


Bars._show = counting
atexit.register(lambda: print("steps", steps, file=sys.stderr))
main()
"""


@pytest.fixture(params=ENGINES)
def target(request: pytest.FixtureRequest, stores: Stores) -> Iterator[str]:
    """An empty store of each engine."""
    url = stores.new(request.param)
    yield url
    stores.drop(url)


@pytest.fixture
def new(tmp_path: Path) -> str:
    """A store in a file that is not there yet."""
    return f"{SQLITE}{tmp_path / 'new.db'}"


def edges(path: Path, accounts: int, follows: int, seed: int = 1) -> Path:
    """An edge list in which few accounts have most followers."""
    random = Random(seed)
    pairs: dict[tuple[int, int], None] = {}
    while len(pairs) < follows:
        mid, fid = random.randint(1, accounts), 1 + int(accounts * random.random() ** 3)
        if mid != fid:
            pairs[mid, fid] = None
    path.write_text("# from to\n" + "".join(f"{mid} {fid}\n" for mid, fid in pairs), encoding="ascii")
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return path


def people(folder: Path) -> tuple[Path, Path]:
    """Accounts of every kind, and follows of them with groups."""
    users, relations = folder / "users.jsonl", folder / "grouped.jsonl"
    kinds: list[dict[str, Any]] = [
        {"level": 5},
        {"follower": 1_000},
        {"state": "deleted"},
        {"own_groups": [{"id": 1, "name": "学习"}, {"id": 2, "name": "游戏"}]},
    ]
    numbers = range(3_001, 3_401)
    users.write_text("".join(json.dumps({"mid": mid, "name": "n"} | kinds[mid % 4]) + "\n" for mid in numbers))
    owners = [mid for mid in numbers if mid % 4 == 3]
    relations.write_text(
        "".join(
            json.dumps({"mid": mid, "fid": mid - 2_000 + number, "groups": [-10, 1 + number % 2], "mtime": 5}) + "\n"
            for mid in owners
            for number in range(5)
        )
    )
    return users, relations


def checksums(run_upspace: Upspace, url: str) -> list[tuple[str, str, str]]:
    ran = run_upspace("checksum", "--store", url)
    assert (ran.code, ran.err) == (0, "")
    found: list[tuple[str, str, str]] = TABLE.findall(ran.out)
    assert len(found) == ran.out.count("\n")
    return found


def test_a_network_comes_in_by_one_command(run_upspace: Upspace, new: str, tmp_path: Path) -> None:
    ran = run_upspace("import", "--store", new, "--relations", str(edges(tmp_path / "edges.txt", 300, 2_000)))
    assert (ran.code, ran.err) == (0, "")
    made = re.fullmatch(
        rf"0 users and 2,000 relations are in the new store {new} now, of 2,000 rows\. "
        r"(\d+) accounts that relations name were made\.\n",
        ran.out,
    )
    assert made is not None, ran.out
    rows = {name: int(count.replace(",", "")) for name, count, _ in checksums(run_upspace, new)}
    assert rows["standing"] == rows["account"] == rows["upstat"] == int(made[1])
    assert rows["relation"] == rows["follower"] == 2_000
    assert run_upspace("check", "--store", new).code == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("upspace-import")] == []


def test_rows_that_are_rejected_are_counted_and_the_file_says_why(
    run_upspace: Upspace, new: str, tmp_path: Path
) -> None:
    users, rejects = tmp_path / "users.csv", tmp_path / "why.csv"
    users.write_text("id,nick,x\n1,a,\n2,,\nz,b,\n")
    options = ("--users", str(users), "--map", "id=mid", "--map", "users.nick=name", "--rejects", str(rejects))
    ran = run_upspace("import", "--store", new, *options)
    assert ran == Ran(
        0,
        f"1 users and 0 relations are in the new store {new} now, of 3 rows.\n",
        f"{users}: not used: x\n2 rows were rejected: {rejects} says why\n",
    )
    assert rejects.read_text() == (
        "file,line,reason\n"
        f'{users},3,"name: it is missing, and account 2 is new"\n'
        f"{users},4,mid: 'z' is not a whole number\n"
    )
    strict = run_upspace("import", "--store", new, *options, "--strict")
    assert (strict.code, strict.out) == (1, "")
    assert strict.err == f"upspace: {users}, line 4: mid: 'z' is not a whole number\n"


def test_progress_is_shown_on_a_terminal_and_only_on_stderr(new: str, tmp_path: Path) -> None:
    path = edges(tmp_path / "e.txt", 300, 2_000)
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (24, 120))
    ran = subprocess.run(
        command_line("import", "--store", new, "--relations", str(path)),
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment(),
        timeout=DEADLINE_S,
        check=True,
    )
    os.close(stderr)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    # A bar for the file, one for each thing that is sorted, and one for all that is written.
    assert shown.count("\n") == 4
    assert "reading e.txt: 100%" in shown
    assert "writing follower: 100%" in shown
    assert ran.stdout.count(b"\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "what is to be imported? Say it with --users FILE or --relations FILE"),
        (["--users", "none.csv"], "none.csv: there is no such file"),
        (["--users", "a.txt"], "a.txt: an edge list holds relations, not users"),
        (["--users", "a.doc"], "a.doc: what format is it?"),
        (["--users", "a.csv", "--map", "x"], "--map x: it should be like fans=follower"),
        (["--users", "a.csv", "--memory-mb", "20"], "20 MB of memory are too few: 500 are needed"),
    ],
)
def test_what_cannot_be_done_is_one_line(run_upspace: Upspace, new: str, arguments: list[str], message: str) -> None:
    ran = run_upspace("import", "--store", new, *arguments)
    assert ran.code != 0
    assert ran.out == ""
    assert ran.err.splitlines()[-1].startswith(f"upspace: {message}")
    assert not Path(new.removeprefix(SQLITE)).exists()


def test_an_export_makes_an_equal_store(run_upspace: Upspace, new: str, target: str, tmp_path: Path) -> None:
    assert run_upspace("import", "--store", new, "--relations", str(edges(tmp_path / "e.txt", 500, 3_000))).code == 0
    users, relations = str(tmp_path / "users.parquet"), str(tmp_path / "relations.jsonl.zst")
    ran = run_upspace("export", "--store", new, "--users", users, "--relations", relations)
    counted = {name: count for name, count, _ in checksums(run_upspace, new)}
    assert ran == Ran(0, f"{counted['standing']} users are in {users}, 3,000 relations are in {relations}\n", "")
    assert run_upspace("import", "--store", target, "--users", users, "--relations", relations).code == 0
    assert checksums(run_upspace, target) == checksums(run_upspace, new)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "what is to be exported? Say it with --users FILE or --relations FILE"),
        (["--users", "a.txt"], "a.txt: an edge list holds relations, not users"),
        (["--users", "/none/a.csv"], "/none/a.csv: No such file or directory"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    run_upspace: Upspace, file_url: str, arguments: list[str], message: str
) -> None:
    ran = run_upspace("export", "--store", file_url, *arguments)
    assert ran.code != 0
    assert (ran.out, ran.err) == ("", f"upspace: {message}\n")


def killed_at(step: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", KILLED, "import", *arguments, str(step)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=environment(),
        check=False,
    )


@pytest.mark.parametrize("is_in_use", [False, True], ids=["empty", "in use"])
@pytest.mark.timeout(300)
def test_an_import_that_is_killed_and_run_again_ends_like_one_that_is_not(
    run_upspace: Upspace, stores: Stores, target: str, tmp_path: Path, is_in_use: bool
) -> None:
    # Into a store in use relations go 2,000 at a time, so fewer are several transactions already.
    whole = edges(tmp_path / "whole.txt", 3_000, 12_000 if is_in_use else 30_000)
    some = edges(tmp_path / "some.txt", 3_000, 1_000, seed=2)
    users, grouped = people(tmp_path)
    engine = "sqlite" if target.startswith(SQLITE) else "postgresql"

    def start(url: str) -> list[str]:
        if is_in_use:
            assert run_upspace("import", "--store", url, "--relations", str(some)).code == 0
        folder = tmp_path / "temporary"
        folder.mkdir(exist_ok=True)
        files = ("--users", str(users), "--relations", str(grouped), "--relations", str(whole))
        return ["--store", url, *files, "--temporary-folder", str(folder)]

    undisturbed = killed_at(0, *start(target))
    assert undisturbed.returncode == 0, undisturbed.stderr
    steps = int(undisturbed.stderr.split()[-1])
    expected = checksums(run_upspace, target)
    for step in Random(3).sample(range(1, steps + 1), 5):
        url = stores.new(engine)
        arguments = start(url)
        before = checksums(run_upspace, url)
        assert killed_at(step, *arguments).returncode == -signal.SIGKILL
        if not is_in_use:
            assert checksums(run_upspace, url) == before
        again = run_process("import", *arguments)
        assert again.code == 0, again.err
        assert checksums(run_upspace, url) == expected
        assert run_upspace("check", "--store", url).code == 0
        # What the killed one has left behind is gone.
        assert list((tmp_path / "temporary").iterdir()) == []
        stores.drop(url)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory of a process in units of Linux")
def test_memory_is_bounded_whatever_the_size_of_the_file(new: str, tmp_path: Path) -> None:
    accounts = 500_000
    path = tmp_path / "many.txt"
    with path.open("w", encoding="ascii") as file:
        for apart in range(1, 4):
            file.writelines(f"{mid} {(mid + 97 * apart) % accounts + 1}\n" for mid in range(1, accounts + 1))
    assert peak_kib("import", "--store", new, "--relations", str(path), "--memory-mb", "500") < 500 * 1000


# Says where it has come so far and waits there to be interrupted.
HELD = """
import sys

from upspace.cli import main
from upspace.cli.bars import Bars

wanted = sys.argv.pop()
show = Bars._show


def holding(bars, what, *step):
    show(bars, what, *step)
    if what.startswith(wanted):
        print("held", flush=True)
        sys.stdin.read()


Bars._show = holding
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("stage", ["reading", "sorting relations", "writing relation"])
def test_the_first_interruption_ends_an_import_and_leaves_nothing(
    new: str, tmp_path: Path, stage: str, number: signal.Signals
) -> None:
    path = edges(tmp_path / "e.txt", 500, 3_000)
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", HELD, "import", "--store", new, "--relations", str(path), stage],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert read_line(process.stdout) == "held\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, err
    assert err.decode().strip() == "upspace: interrupted"
    assert {path.name for path in tmp_path.iterdir()} <= {"e.txt", "new.db", "new.db-wal", "new.db-shm"}
    assert all(rows == 0 for rows in counted(new).values())


def counted(url: str) -> dict[str, int]:
    found = TABLE.findall(run_process("checksum", "--store", url).out)
    return {name: int(rows.replace(",", "")) for name, rows, _ in found}


# A query that takes far longer than anybody waits.
SORTING = """
import signal, sys
from pathlib import Path

from upspace.data.importing.staging import staging


def interrupt(*_):
    raise KeyboardInterrupt


signal.signal(signal.SIGINT, interrupt)
try:
    with staging(Path(sys.argv[1]), 500) as area:
        print("held", flush=True)
        area.db.execute("select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interruption_ends_what_is_sorted(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", SORTING, str(tmp_path)], stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert read_line(process.stdout) == "held\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (out, err) == (b"interrupted\n", b"")
    assert list(tmp_path.iterdir()) == []
