"""A clock that can be set: what `mtime`, the expiry of tokens and rate limits go by when the server is controlled."""

import time
from collections.abc import Callable

from upspace.wire.control import ClockState


class Clock:
    """Gives unix seconds: the time of the system until it is set, from then on a time that stands still or ticks."""

    def __init__(self, system: Callable[[], float] = time.time) -> None:
        self._system = system
        self._ahead_s = 0.0
        self._stands_at: float | None = None

    def __call__(self) -> float:
        """The time in unix seconds."""
        return self._system() + self._ahead_s if self._stands_at is None else self._stands_at

    @property
    def state(self) -> ClockState:
        """The time, and whether it ticks."""
        return ClockState(self(), ticking=self._stands_at is None)

    def set(self, state: ClockState) -> None:
        """Go on from the time that is given, or stand still there."""
        self._ahead_s = state.now - self._system()
        self._stands_at = None if state.ticking else state.now

    def advance(self, seconds: float) -> None:
        """Go forward by so much, whether the clock ticks or not."""
        if self._stands_at is None:
            self._ahead_s += seconds
        else:
            self._stands_at += seconds

    def copy(self) -> "Clock":
        """A clock that shows the same time, apart from this one."""
        copied = Clock(self._system)
        copied.show(self)
        return copied

    def show(self, other: "Clock") -> None:
        """Show what another clock shows, and go on as it does."""
        self._ahead_s, self._stands_at = other._ahead_s, other._stands_at
