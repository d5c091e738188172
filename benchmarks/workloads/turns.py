"""What a connection is given to send."""

from collections.abc import Callable
from typing import NamedTuple


class Ask(NamedTuple):
    """One request: under which name it is counted, which codes are no error, and who wants to know its code."""

    name: str
    request: bytes
    refusals: frozenset[int] = frozenset()
    settle: Callable[[int | None], None] | None = None


class Turn(NamedTuple):
    """Requests that are sent one after another; `whole` is the name that all of them together are counted under."""

    asks: tuple[Ask, ...]
    whole: str | None = None
