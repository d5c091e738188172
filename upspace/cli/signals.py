"""Signals for commands that wait in an event loop."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM)
"""What ends a command that runs until it is told to stop."""


@contextmanager
def signals(numbers: Sequence[signal.Signals]) -> Iterator["asyncio.Queue[signal.Signals]"]:
    """The signals among these that come, in place of what they would do."""
    loop = asyncio.get_running_loop()
    come: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in numbers:
        loop.add_signal_handler(number, come.put_nowait, number)
    try:
        yield come
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
