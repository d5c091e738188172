"""Going through the pages of a list: which to ask for next, when it ends, and whether all was there. No I/O."""

from collections.abc import Callable, Hashable
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

from upspace.client.requests import Call
from upspace.wire.codes import PS_MAX
from upspace.wire.errors import PageTooDeepError

Item = TypeVar("Item")

# A list that grows while it is walked moves its rows to later pages, where they are met again. Pages of nothing else
# are taken this often before the server is thought to repeat itself.
_STALE_PAGES_MAX = 3


class Cut(StrEnum):
    """Why a walk has ended before the end of the list."""

    PAGE_CAP = "page cap"
    """The server lists no further pages to this viewer: code 22007."""
    FEWER_THAN_TOTAL = "fewer than total"
    """The list ended before its `total`. The server lists no further rows to this viewer, or it holds the list in part
    only (counter mode reported), or the list has changed meanwhile: replies do not say which."""
    STALLED = "stalled"
    """The server sent the same rows again and again."""


class Position(Struct, frozen=True):
    """Where a page begins: its number from 1, or the `offset` of the page before."""

    pn: int = 1
    offset: str = ""


_FIRST = Position()


class Page(Struct, Generic[Item], frozen=True):
    """What counts of a page. `total` is None where a list has none, `offset` where it is paged by number."""

    items: list[Item]
    total: int | None = None
    offset: str | None = None


class Pages(Generic[Item]):
    """A list on its way in. Ask `next_call`, send it, and hand the reply to `take` or the refusal to `refuse`.

    `ask` makes the call of a page of `ps` rows; `key` is what an item is known by: one that comes again, as the list
    has grown meanwhile, is passed over. Raises ValueError for a `ps` that is not from 1 to 50.
    """

    def __init__(self, ask: Callable[[Position], Call[Page[Item]]], key: Callable[[Item], Hashable], ps: int) -> None:
        if not 1 <= ps <= PS_MAX:
            raise ValueError(f"ps must be from 1 to {PS_MAX}, not {ps}")
        self.total: int | None = None
        self.cut: Cut | None = None
        self._ask = ask
        self._key = key
        self._ps = ps
        self._position: Position | None = _FIRST
        self._seen: set[Hashable] = set()
        self._stale_pages = 0

    def next_call(self) -> Call[Page[Item]] | None:
        """The call of the next page, None at the end. Until its reply is taken it stays the next one."""
        return None if self._position is None else self._ask(self._position)

    def take(self, page: Page[Item]) -> list[Item]:
        """The new items of the page that was asked for, in its order."""
        position = self._position
        if position is None:
            raise ValueError("the walk has ended")
        self.total = page.total
        news = []
        for item in page.items:
            if (key := self._key(item)) not in self._seen:
                self._seen.add(key)
                news.append(item)
        self._stale_pages = 0 if news else self._stale_pages + 1
        following = Position(position.pn + 1) if page.offset is None else Position(offset=page.offset)
        # Pages have no gaps (contract, 5.4): one that is not full is the last.
        if len(page.items) < self._ps:
            self._end(Cut.FEWER_THAN_TOTAL)
        elif following in (position, _FIRST) or self._stale_pages == _STALE_PAGES_MAX:
            self._end(Cut.STALLED)
        else:
            self._position = following
        return news

    def refuse(self, error: PageTooDeepError) -> None:
        """End at the page cap. Raises `error` if it came for the first page, which no cap is about."""
        if self._position == _FIRST:
            raise error
        self._end(Cut.PAGE_CAP)

    def _end(self, cut: Cut) -> None:
        """The end, which is a cut unless everything has come."""
        if cut is Cut.FEWER_THAN_TOTAL:
            complete = self.total is None or len(self._seen) >= self.total
        else:
            # More rows than the total: then it does not say either whether these were all.
            complete = len(self._seen) == self.total
        self.cut = None if complete else cut
        self._position = None
