"""Which pages are asked for and when a walk ends, without a server: against lists that behave, and some that do not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upspace.client import Call, Cut, Pages
from upspace.client.paging import Page, Position
from upspace.wire.errors import PageTooDeepError

PAGE_CAP = 5
SIZES = st.integers(1, 50)


@dataclass
class List:
    """Rows, newest first, shown as the contract says (1, 5.4, 9).

    `extra` is how much more its total says, `grows` by how many rows it grows after each request.
    """

    rows: list[int]
    ps: int
    by_offset: bool = False
    has_total: bool = True
    extra: int = 0
    page_cap: bool = False
    row_cap: int | None = None
    grows: list[int] = field(default_factory=list)
    asked: list[Position] = field(default_factory=list)

    def pages(self) -> Pages[int]:
        return Pages(self._call, lambda row: row, self.ps)

    def _call(self, position: Position) -> Call[Page[int]]:
        def read(_: Any) -> Page[int]:
            return self._page(position)

        return Call(method="GET", path="/", parameters={}, read=read)

    def _page(self, position: Position) -> Page[int]:
        self.asked.append(position)
        rows = self.rows
        if self.grows:
            newest = rows[0]
            self.rows = [*range(newest + self.grows.pop(0), newest, -1), *rows]
        visible = rows[: self.row_cap]
        total = len(rows) + self.extra if self.has_total else None
        if position.offset:
            start = visible.index(int(position.offset)) + 1
        else:
            if self.page_cap and position.pn > PAGE_CAP:
                raise PageTooDeepError
            start = (position.pn - 1) * self.ps
        shown = visible[start : start + self.ps]
        return Page(shown, total, str(shown[-1] if shown else "") if self.by_offset else None)


def walk(pages: Pages[int]) -> Iterator[int]:
    """As both clients do it; their own loops are tested with a server."""
    while (call := pages.next_call()) is not None:
        try:
            page = call.read(None)  # type: ignore[arg-type]  # what it reads does not come from a server
        except PageTooDeepError as error:
            pages.refuse(error)
        else:
            yield from pages.take(page)


@st.composite
def lists(draw: st.DrawFn) -> List:
    """Any list of the contract."""
    by_offset = draw(st.booleans())
    has_total = by_offset or draw(st.booleans())
    count = draw(st.integers(0, 320))
    return List(
        rows=list(range(count, 0, -1)),
        ps=draw(SIZES),
        by_offset=by_offset,
        has_total=has_total,
        extra=draw(st.sampled_from([0, 0, 1, 500])),
        page_cap=has_total and not by_offset and draw(st.booleans()),
        row_cap=draw(st.none() | st.integers(0, 320)),
    )


@given(lists())
@settings(deadline=None)
def test_a_walk_brings_what_the_server_shows_and_says_what_it_does_not(given: List) -> None:
    pages = given.pages()
    rows = list(walk(pages))
    shown = given.rows[: given.row_cap]
    reachable = shown[: PAGE_CAP * given.ps] if given.page_cap else shown
    assert rows == reachable
    total = len(given.rows) + given.extra if given.has_total else None
    assert pages.total == total
    if total is None or len(rows) == total:
        assert pages.cut is None
    elif given.page_cap and len(shown) >= PAGE_CAP * given.ps:
        # Also where the rows end at the very same place: they cannot be told apart.
        assert pages.cut is Cut.PAGE_CAP
    else:
        assert pages.cut is Cut.FEWER_THAN_TOTAL
    # One request a page, and one more where the last page is full.
    assert len(given.asked) == len(rows) // given.ps + 1
    assert len(set(given.asked)) == len(given.asked)


@given(st.integers(1, 200), st.integers(2, 50), st.booleans(), st.data())
def test_what_was_there_comes_once_while_a_list_grows(
    count: int, ps: int, by_offset: bool, data: st.DataObject
) -> None:
    rows = list(range(count, 0, -1))
    # Less than a page between two requests: by numbers of pages, there has to be news on each.
    grows = data.draw(st.lists(st.integers(0, ps - 1), max_size=10))
    growing = List(rows, ps, by_offset=by_offset, grows=grows)
    seen = list(walk(growing.pages()))
    assert len(set(seen)) == len(seen)
    assert [row for row in seen if row <= count] == rows


# Servers that do not behave

# Pages come from the test.
UNSENT: Call[Page[int]] = Call(method="GET", path="/", parameters={}, read=lambda _: pytest.fail("it was sent"))
ITEMS = st.lists(st.integers(0, 5), max_size=8)
TOTALS = st.none() | st.integers(-1, 10)
OFFSETS = st.none() | st.sampled_from(["", "a", "b", "c"])


@given(st.integers(1, 4), st.data())
def test_a_walk_ends_whatever_the_server_sends(ps: int, data: st.DataObject) -> None:
    pages = Pages(lambda _: UNSENT, int, ps)
    items: list[int] = []
    asked = 0
    while pages.next_call() is not None:
        asked += 1
        # There are six items, and three pages without news are the most.
        assert asked <= 4 * 6 + 3
        items += pages.take(Page(data.draw(ITEMS), data.draw(TOTALS), data.draw(OFFSETS)))
    assert len(set(items)) == len(items)


def taken(ps: int, *given: Page[int]) -> tuple[list[int], int, Cut | None]:
    """What a walk brings, how many pages it takes, and how it ends; the last page is repeated."""
    pages = Pages(lambda _: UNSENT, int, ps)
    items, asked = [], 0
    while pages.next_call() is not None:
        items += pages.take(given[min(asked, len(given) - 1)])
        asked += 1
    return items, asked, pages.cut


def test_the_same_page_again_and_again() -> None:
    assert taken(2, Page([1, 2], 9)) == ([1, 2], 4, Cut.STALLED)
    assert taken(2, Page([1, 2])) == ([1, 2], 4, Cut.STALLED)
    assert taken(2, Page([1, 1], 1)) == ([1], 4, None)


def test_pages_without_news_are_passed_over_if_news_follow() -> None:
    old = Page([1, 2], 6)
    assert taken(2, old, old, old, Page([2, 3], 6), old, old, Page([4, 5], 6), Page([6], 6)) == (
        [*range(1, 7)],
        8,
        None,
    )


def test_an_offset_that_does_not_move() -> None:
    assert taken(2, Page([1, 2], 9, "a")) == ([1, 2], 2, Cut.STALLED)
    # This one would lead to the beginning.
    assert taken(2, Page([1, 2], 9, "")) == ([1, 2], 1, Cut.STALLED)
    assert taken(2, Page([1, 2], 9, "a"), Page([3, 4], 9, "")) == ([1, 2, 3, 4], 2, Cut.STALLED)
    assert taken(2, Page([1, 2], 2, "")) == ([1, 2], 1, None)


def test_the_newest_total_counts() -> None:
    assert taken(2, Page([1, 2], 9), Page([3], 3)) == ([1, 2, 3], 2, None)
    assert taken(2, Page([1, 2], 3), Page([3], 9)) == ([1, 2, 3], 2, Cut.FEWER_THAN_TOTAL)


def test_more_rows_than_were_asked_for_are_taken() -> None:
    assert taken(2, Page([1, 2, 3], 3)) == ([1, 2, 3], 4, None)


# One step at a time


def test_the_same_call_is_next_until_its_reply_is_taken() -> None:
    rows = List(list(range(9, 0, -1)), 3)
    pages = rows.pages()
    assert (pages.total, pages.cut) == (None, None)
    for _ in range(3):
        assert pages.next_call() is not None
    first = pages.next_call()
    assert first is not None
    assert pages.take(first.read(None)) == [9, 8, 7]  # type: ignore[arg-type]  # as above
    assert (pages.total, pages.cut) == (9, None)
    assert list(walk(pages)) == [6, 5, 4, 3, 2, 1]
    assert [position.pn for position in rows.asked] == [1, 2, 3, 4]


def test_after_the_end_nothing_is_taken() -> None:
    pages = List([], 3).pages()
    assert list(walk(pages)) == []
    assert pages.next_call() is None
    with pytest.raises(ValueError, match="the walk has ended"):
        pages.take(Page([1]))


def test_a_first_page_that_is_too_deep_is_an_error() -> None:
    with pytest.raises(PageTooDeepError):
        List([1], 1).pages().refuse(PageTooDeepError())
