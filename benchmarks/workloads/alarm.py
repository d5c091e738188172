"""An alarm for the event loop that rings on time: timers of event loops are rounded to whole milliseconds."""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from contextlib import suppress

# From the headers of Linux; Python has these calls from 3.13 on.
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_ABSOLUTE = 1
_NS = 1_000_000_000


class _Setting(ctypes.Structure):
    """The struct itimerspec: an interval, which is zero here, and an instant."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("instant_s", ctypes.c_long),
        ("instant_ns", ctypes.c_long),
    )


class Alarm:
    """Calls `ring` in the event loop at an instant of `time.monotonic`, by a timer of Linux (timerfd_create).

    Raises OSError where there is no such timer.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._system = ctypes.CDLL(None, use_errno=True)
        self._file: int = self._system.timerfd_create(time.CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._setting = _Setting()
        loop.add_reader(self._file, self._expired)

    def set(self, instant_s: float) -> None:
        """Ring then instead of when it was set to before; at once if that is past."""
        ns = int(instant_s * _NS)
        self._setting.instant_s, self._setting.instant_ns = divmod(ns, _NS)
        self._system.timerfd_settime(self._file, _ABSOLUTE, ctypes.byref(self._setting), None)

    def close(self) -> None:
        """Never ring again."""
        self._loop.remove_reader(self._file)
        os.close(self._file)

    def _expired(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._file, 8)
        self._ring()
