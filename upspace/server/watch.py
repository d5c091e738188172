"""The process that watches the workers: it starts them, replaces one that ends, and stops them all on a signal."""

import logging
import logging.config
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Connection as Line
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from upspace.server.worker import LOGGING, READY, STOP_WITHIN_S, STOP_WITHIN_S_CONTROLLED, Orders, work

log = logging.getLogger("upspace")

# Forked workers would inherit the state of SQLite and of threads; spawned ones start clean.
_PROCESSES = multiprocessing.get_context("spawn")

# A worker that has served for less than the last pause is replaced after one, which doubles from the first to the last.
_PAUSE_FIRST_S = 0.25
_PAUSE_LAST_S = 10.0
# What a worker may take to leave after it has answered its last request, or cut it off.
_LEAVE_WITHIN_S = 5.0


class ServeError(Exception):
    """The server cannot start, in one sentence."""


class _Place:
    """Where one worker after the other answers what comes through a listening socket.

    `ready` says that the worker takes connections; `ended` how it ended or could not begin, None while there is one.
    When the next one starts, by the monotonic clock in seconds, is `starts_at`, None as long as that is open.
    """

    def __init__(self, orders: Orders, listener: socket.socket) -> None:
        self._orders = orders
        self._listener = listener
        self._pause_s = _PAUSE_FIRST_S
        self.ready = False
        self.ended: str | None = None
        self.starts_at: float | None = None
        self.line: Line | None = None
        self.process: SpawnProcess | None = None
        self._start()

    def sources(self) -> list[Any]:
        """What there is to wait for."""
        if self.ended is not None or self.process is None:
            return []
        return [self.process.sentinel] if self.ready else [self.process.sentinel, self.line]

    def attend(self, happened: list[Any]) -> None:
        """Note what the worker has said, and whether it has ended."""
        if self.ended is not None or self.process is None:
            return
        if self.line is not None and self.line in happened and not self.ready:
            # One that ends before it is ready closes its end of the line, which looks alike.
            with suppress(EOFError, OSError):
                self.ready = self.line.recv_bytes() == READY
        if self.process.sentinel in happened:
            self.process.join()
            code = self.process.exitcode or 0
            self._note_end(f"was ended by signal {-code}" if code < 0 else f"ended with {code}")

    def fill(self) -> None:
        """Start the next worker, if the last one has ended and it is time."""
        if self.starts_at is not None and self.starts_at <= time.monotonic():
            self._start()
        if self.ended is not None and self.starts_at is None:
            self._plan()

    def tell_to_stop(self) -> SpawnProcess | None:
        """The worker stops when this end of the line is closed; what there is of it, if anything."""
        if self.line is not None:
            self.line.close()
        return self.process if self.ended is None else None

    def _start(self) -> None:
        self.ready, self.ended, self.starts_at = False, None, None
        self._started_at = time.monotonic()
        try:
            self.line, theirs = _PROCESSES.Pipe()
            with closing(theirs):
                self.process = _PROCESSES.Process(target=work, args=(self._orders, self._listener, theirs), daemon=True)
                self.process.start()
        except OSError as error:
            # No memory for it, too many processes, or too many files.
            self._note_end(f"could not be started ({error.strerror})")

    def _note_end(self, how: str) -> None:
        if self.line is not None:
            self.line.close()
        self.ended = how

    def _plan(self) -> None:
        """Say when the next worker starts: at once if the last one has served for a while."""
        now = time.monotonic()
        if self.ready and now - self._started_at >= _PAUSE_LAST_S:
            self._pause_s = _PAUSE_FIRST_S
            self.starts_at = now
            log.warning("a worker %s, another takes its place", self.ended)
        else:
            self.starts_at = now + self._pause_s
            log.warning("a worker %s, another takes its place in %g s", self.ended, self._pause_s)
            self._pause_s = min(2 * self._pause_s, _PAUSE_LAST_S)


def watch(orders: Orders, listeners: Sequence[socket.socket], on_ready: Callable[[], None]) -> None:
    """Have a worker answer at each of `listeners`, until SIGTERM or SIGINT comes; a second one cuts off what is left.

    `on_ready` is called when all of them take connections. Closes the listeners. Raises ServeError if a worker ends
    before that.
    """
    logging.config.dictConfig(LOGGING)
    within_s = STOP_WITHIN_S_CONTROLLED if orders.settings.control else STOP_WITHIN_S
    with _signals() as told:
        places: list[_Place] = []
        try:
            # One by one: if one cannot be started, those before it have to be stopped.
            places.extend(_Place(orders, listener) for listener in listeners)
            _watch(places, told, on_ready)
        finally:
            for listener in listeners:
                # While this process has it, the system takes connections that nobody will answer.
                listener.close()
            _stop(places, told, within_s + _LEAVE_WITHIN_S)


def _watch(places: list[_Place], told: socket.socket, on_ready: Callable[[], None]) -> None:
    while not all(place.ready for place in places):
        for place in places:
            if place.ended is not None:
                raise ServeError(f"a worker {place.ended} before it was ready")
        if not _attend_next(places, told):
            return
    on_ready()
    while _attend_next(places, told):
        for place in places:
            place.fill()


def _attend_next(places: list[_Place], told: socket.socket) -> bool:
    """Wait for what happens next, and note it; False if it is a signal."""
    pauses = [place.starts_at - time.monotonic() for place in places if place.starts_at is not None]
    sources = [source for place in places for source in place.sources()]
    happened = wait([told, *sources], max(0.0, min(pauses)) if pauses else None)
    for place in places:
        place.attend(happened)
    return told not in happened


def _stop(places: list[_Place], told: socket.socket, within_s: float) -> None:
    """Stop the workers. Those that are left after so long, or at a second signal, are killed."""
    processes = [process for place in places if (process := place.tell_to_stop()) is not None]
    told.setblocking(False)
    with suppress(BlockingIOError):
        told.recv(64)
    until = time.monotonic() + within_s
    while left := [process for process in processes if process.is_alive()]:
        happened = wait([told, *(process.sentinel for process in left)], max(0.0, until - time.monotonic()))
        if not happened or told in happened:
            log.warning("%d of the workers had to be killed", len(left))
            for process in left:
                process.kill()
                process.join()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket from which a byte can be read for each SIGTERM and SIGINT that has come."""
    told, teller = socket.socketpair()

    def ignore(_number: int, _frame: FrameType | None) -> None:
        """What counts is that the interpreter writes to the socket."""

    with told, teller:
        teller.setblocking(False)
        before = {number: signal.signal(number, ignore) for number in (signal.SIGTERM, signal.SIGINT)}
        woken_before = signal.set_wakeup_fd(teller.fileno(), warn_on_full_buffer=False)
        try:
            yield told
        finally:
            signal.set_wakeup_fd(woken_before)
            for number, handler in before.items():
                signal.signal(number, handler)
