"""Lists walked page by page: what each list's pages are, and the iterators over them."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, Protocol, TypeVar

from upspace.client import calls
from upspace.client.calls import Order, OrderType
from upspace.client.paging import Cut, Page, Pages, Position
from upspace.client.requests import Call
from upspace.wire.codes import PS_MAX
from upspace.wire.errors import PageTooDeepError
from upspace.wire.groups import GroupItem
from upspace.wire.relations import FansList, FoundList, OwnList, RelationItem, RelationList

T = TypeVar("T")
Item = TypeVar("Item")


class Sender(Protocol):
    """What sends a call and waits for its reply."""

    def send(self, call: Call[T]) -> T:
        """What the reply says."""
        ...


class AsyncSender(Protocol):
    """What sends a call from a coroutine."""

    async def send(self, call: Call[T]) -> T:
        """What the reply says."""
        ...


class _Walked(Generic[Item]):
    """What the two kinds of walks have in common: the pages, and the items that have come and not been given out."""

    def __init__(self, pages: Pages[Item]) -> None:
        self._pages = pages
        self._items: deque[Item] = deque()

    @property
    def total(self) -> int | None:
        """How long the list is, as the newest page says; None before the first page and for lists without it."""
        return self._pages.total

    @property
    def cut(self) -> Cut | None:
        """Why the walk has ended before the end of the list. None if it has not, or goes on."""
        return self._pages.cut


class Walk(_Walked[Item], Iterator[Item]):
    """The items of a list, each once; pages are fetched as they are needed.

    After an exception, `next` asks for the same page again.
    """

    def __init__(self, client: Sender, pages: Pages[Item]) -> None:
        super().__init__(pages)
        self._client = client

    def __next__(self) -> Item:
        while not self._items:
            call = self._pages.next_call()
            if call is None:
                raise StopIteration
            try:
                page = self._client.send(call)
            except PageTooDeepError as error:
                self._pages.refuse(error)
            else:
                self._items.extend(self._pages.take(page))
        return self._items.popleft()


class AsyncWalk(_Walked[Item], AsyncIterator[Item]):
    """The items of a list, each once, for `async for`; pages are fetched as they are needed.

    After an exception, `anext` asks for the same page again. One task at a time may go on with it.
    """

    def __init__(self, client: AsyncSender, pages: Pages[Item]) -> None:
        super().__init__(pages)
        self._client = client

    async def __anext__(self) -> Item:
        while not self._items:
            call = self._pages.next_call()
            if call is None:
                raise StopAsyncIteration
            try:
                page = await self._client.send(call)
            except PageTooDeepError as error:
                self._pages.refuse(error)
            else:
                self._items.extend(self._pages.take(page))
        return self._items.popleft()


def walk_followers(vmid: int, *, ps: int = PS_MAX, order: Order = "desc") -> Pages[RelationItem]:
    """The accounts that follow `vmid`, by the time of following, in pages of `ps`. Raises what `followers` may."""
    return _listed(lambda at: calls.followers(vmid, pn=at.pn, ps=ps, order=order).then(_page), ps)


def walk_followings(
    vmid: int, *, ps: int = PS_MAX, order: Order = "desc", order_type: OrderType = ""
) -> Pages[RelationItem]:
    """The accounts that `vmid` follows, by the time of following, in pages of `ps`. Raises what `followings` may."""
    return _listed(
        lambda at: calls.followings(vmid, pn=at.pn, ps=ps, order=order, order_type=order_type).then(_page), ps
    )


def walk_fans(vmid: int, *, ps: int = PS_MAX) -> Pages[RelationItem]:
    """Followers of `vmid`, newest first, in pages of `ps`, each asked for by the last row of the one before.

    There is no page cap, and who follows meanwhile moves nothing. Raises what `fans` may.
    """
    return _listed(lambda at: calls.fans(vmid, ps=ps, offset=at.offset).then(_fans_page), ps)


def walk_search_followings(vmid: int, name: str = "", *, ps: int = PS_MAX) -> Pages[RelationItem]:
    """Followings of `vmid` whose names hold `name`, newest first, in pages of `ps`.

    Raises what `search_followings` may.
    """
    return _listed(lambda at: calls.search_followings(vmid, name, pn=at.pn, ps=ps).then(_page), ps)


def walk_same_followings(vmid: int, *, ps: int = PS_MAX) -> Pages[RelationItem]:
    """Whom the viewer and `vmid` both follow, in pages of `ps`. Raises what `same_followings` may."""
    return _listed(lambda at: calls.same_followings(vmid, pn=at.pn, ps=ps).then(_page), ps)


def walk_whispers(*, ps: int = PS_MAX) -> Pages[RelationItem]:
    """Whom the viewer follows in secret, newest first, in pages of `ps`. Raises what `whispers` may."""
    return _listed(lambda at: calls.whispers(pn=at.pn, ps=ps).then(_own_page), ps)


def walk_blacks(*, ps: int = PS_MAX) -> Pages[RelationItem]:
    """Whom the viewer has blocked, newest first, in pages of `ps`. Raises what `blacks` may."""
    return _listed(lambda at: calls.blacks(pn=at.pn, ps=ps).then(_page), ps)


def walk_group_members(tagid: int, *, ps: int = PS_MAX, order_type: OrderType = "") -> Pages[GroupItem]:
    """The members of a group of the viewer, newest first, in pages of `ps`. Raises what `group_members` may."""
    return Pages(
        lambda at: calls.group_members(tagid, pn=at.pn, ps=ps, order_type=order_type).then(_members_page),
        lambda member: member.mid,
        ps,
    )


def _listed(ask: Callable[[Position], Call[Page[RelationItem]]], ps: int) -> Pages[RelationItem]:
    return Pages(ask, lambda item: item.mid, ps)


def _page(reply: RelationList | FoundList) -> Page[RelationItem]:
    return Page(reply.items, reply.total)


def _fans_page(reply: FansList) -> Page[RelationItem]:
    return Page(reply.items, reply.total, reply.offset)


def _own_page(reply: OwnList) -> Page[RelationItem]:
    return Page(reply.items)


def _members_page(reply: list[GroupItem]) -> Page[GroupItem]:
    return Page(reply)
