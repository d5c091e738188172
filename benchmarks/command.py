"""What the commands that measure have in common: options, how they end, what they say meanwhile."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agreement import DisagreementError
from cluster import PostgresError
from load import LoadError
from machine import describe_machine
from results import Machine
from servers import ServerError

from upspace.data.community import CommunityMismatchError
from upspace.store.interface import StoreError

_QUIET_LOAD = 0.5
"""A load average above this says that something else runs, which takes what the servers need."""


def at_least(least: int) -> Callable[[str], int]:
    """A type for argparse: whole numbers from `least` on."""

    def integer(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return integer


@contextmanager
def ending_politely(program: str) -> Iterator[None]:
    """Measure within: a failure is one line and exit status 1, and whatever was started is stopped."""
    # A polite end, too, must stop the servers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except (LoadError, ServerError, PostgresError, DisagreementError, CommunityMismatchError, StoreError) as error:
        sys.exit(f"{program}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{program}: stopped, nothing is written")


def look_at_machine() -> Machine:
    """This machine, before anything is started. Says so if something else runs on it."""
    machine = describe_machine()
    if machine.load_before > _QUIET_LOAD:
        say(f"this machine is busy (load average {machine.load_before}): the figures will not mean much")
    return machine


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)
