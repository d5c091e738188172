"""Faults of the store in the log: while a store is away every request fails, and the log must not drown in that."""

import logging
import time
from collections.abc import Callable

from upspace.server.http import Request
from upspace.store.interface import StoreError

log = logging.getLogger("upspace")

# The same fault is written down once in so many seconds.
_PAUSE_S = 1.0
# Faults name the store and the reason, so there are few. More than this many are not told apart.
_KINDS_MAX = 100


class FaultLog:
    """Writes the first of each kind of fault down at once, then how many more there were. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}

    def note(self, request: Request, error: StoreError) -> None:
        """A request that failed. Its query and its headers are left out: no secrets."""
        text = str(error)
        now = self._clock()
        said_s, unsaid = self._said.get(text, (now - _PAUSE_S, 0))
        if now - said_s < _PAUSE_S:
            self._said[text] = said_s, unsaid + 1
            return
        if len(self._said) >= _KINDS_MAX:
            self._said.clear()
        self._said[text] = now, 0
        more = f" (and {unsaid} more such requests since it was last said)" if unsaid else ""
        log.error("%s %s: %s%s", request.method, request.path, text, more)
