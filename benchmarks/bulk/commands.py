"""Commands that are timed, with the most memory that they had."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from load import LoadError
from servers import store_variable

from bulk.results import Stage

UPSPACE = str(Path(sys.executable).with_name("upspace"))


def upspace(store: str, *arguments: str) -> tuple[Stage, str]:
    """A command of ours on a store, and what it printed."""
    return run([UPSPACE, *arguments], store_variable(store))


def run(command: Sequence[str], variables: Mapping[str, str] | None = None, given: str = "") -> tuple[Stage, str]:
    """A command to its end, and what it printed; `given` is its input. Raises LoadError if it fails."""
    with tempfile.TemporaryFile("w+") as read, tempfile.TemporaryFile("w+") as written:
        read.write(given)
        read.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=read, stdout=written, env=os.environ | dict(variables or {}))
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        written.seek(0)
        printed = written.read()
    if process.returncode != 0:
        raise LoadError(f"{' '.join(command)} ended with {process.returncode}: {printed.strip()}")
    return Stage(round(seconds, 1), round(usage.ru_maxrss * 1024 / 1e6)), printed
