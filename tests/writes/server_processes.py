"""The processes of a server: which they are, ending them without warning, and knowing when they have ended. Linux."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from conftest import DEADLINE_S, Served

# How often what reports nothing is looked at.
_LOOK_S = 0.002


def workers_of(served: Served) -> list[int]:
    """The processes that answer. Another child keeps account of what they share."""
    main = served.process.pid
    workers = []
    for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split():
        # One that has just ended is gone, or has no command line any more.
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                workers.append(int(pid))
    return workers


@contextmanager
def ending(pids: Iterable[int]) -> Iterator[None]:
    """At the end, wait until all these processes have ended, whosever children they are."""
    descriptors = [os.pidfd_open(pid) for pid in pids]
    until = time.monotonic() + DEADLINE_S
    try:
        yield
        for descriptor in descriptors:
            ended, _, _ = select.select([descriptor], [], [], max(0, until - time.monotonic()))
            assert ended, "a process has not ended"
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def wait_until(holds: Callable[[], bool]) -> None:
    """Look until it holds."""
    until = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(_LOOK_S)


def has_read(served: Served, ports: Iterable[int]) -> bool:
    """Whether the server has taken all that was sent to it from these ports of this machine, over IPv4."""
    waiting = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if int(local.partition(":")[2], 16) == served.address[1]:
            waiting[int(remote.partition(":")[2], 16)] = int(queues.partition(":")[2], 16)
    return all(waiting.get(port) == 0 for port in ports)


def kill_group(served: Served) -> None:
    """End every process of the server at once, as a power failure would."""
    os.killpg(served.process.pid, signal.SIGKILL)
