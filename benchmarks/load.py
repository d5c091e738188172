"""Load on one server by wrk, and what wrk counted."""

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

C = TypeVar("C", bound=Struct)

CONNECTIONS = 32
THREADS = 1

_SCRIPT = Path(__file__).with_name("targets.lua")
_RESULT = re.compile(r"^result (\{.*\})$", re.MULTILINE)
_GRACE_S = 30
# All are asked for in parts of so many seconds, until there are none left.
_PART_S = 2


class LoadError(Exception):
    """Why no load could be made, in one sentence."""


class Counted(Struct, frozen=True, forbid_unknown_fields=True):
    """One run as `targets.lua` prints it; times in microseconds."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    status_errors: int
    socket_errors: int
    timeouts: int


def require_wrk() -> str:
    """The version of wrk. Raises LoadError that says how to install it."""
    if shutil.which("wrk") is None:
        raise LoadError("wrk is not installed: apt install wrk (Debian, Ubuntu), or see https://github.com/wg/wrk")
    # wrk ends with 1 when it is asked for its version.
    shown = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return shown.removeprefix("wrk ").split(" [")[0].strip()


def run_wrk(server: str, url: str, targets: Path, *, seconds: int, seed: int, in_turn: bool = False) -> Counted:
    """Ask `server` for `url`, its `{mid}` replaced by lines of `targets`, random or `in_turn` from number `seed` on.

    Raises LoadError.
    """
    order = "in turn" if in_turn else "random"
    counted = run_script(_SCRIPT, Counted, server, (str(targets), str(seed), url, order), seconds=seconds)
    if counted.requests == 0:
        raise LoadError(f"{server}{url}: not one reply in {seconds} s")
    return counted


def ask_for_all(server: str, url: str, targets: Path, per_s: int) -> None:
    """Ask for every line of `targets` in turn, of a server that answers so many requests a second at least.

    Raises LoadError if it does not.
    """
    count = targets.read_text().count("\n")
    until = time.monotonic() + count / per_s + _PART_S
    asked = 0
    while asked < count:
        if time.monotonic() > until:
            raise LoadError(f"{server}{url}: {asked} of {count} targets were asked for, fewer than {per_s} a second")
        # Those that were under way at the end of a part may not have been answered.
        asked += run_wrk(server, url, targets, seconds=_PART_S, seed=asked, in_turn=True).requests - CONNECTIONS


def run_script(
    script: Path, kind: type[C], server: str, arguments: Sequence[str], *, seconds: int, connections: int = CONNECTIONS
) -> C:
    """Load by a script of wrk, and the line `result {...}` that it prints. Raises LoadError."""
    command = ["wrk", "--latency", f"--threads={THREADS}", f"--connections={connections}", f"--duration={seconds}s"]
    command += [f"--script={script}", server, "--", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + _GRACE_S)
    found = _RESULT.search(done.stdout)
    if found is None:
        raise LoadError(f"wrk failed at {server}: {(done.stderr or done.stdout).strip()}")
    return msgspec.json.decode(found[1], type=kind)
