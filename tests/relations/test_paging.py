"""From page numbers to windows: contract, 5.4 and 9."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upspace.model import Listed, Window
from upspace.relations.paging import cursor_window, page_window

LENGTHS = st.integers(0, 300)
SIZES = st.integers(1, 50)
CAPS = st.none() | st.integers(0, 200)


def rows_of(window: Window, length: int) -> list[int]:
    """What a store returns for a window on a list of the rows 0, 1, 2 ... that is `length` long."""
    return list(range(length))[window.start : window.start + window.size]


@pytest.mark.parametrize(
    ("pn", "ps", "rows", "window"),
    [
        (1, 20, None, Window(0, 20)),
        (2, 20, None, Window(20, 20)),
        (5, 50, None, Window(200, 50)),
        (1_000_000_000, 50, None, Window(49_999_999_950, 50)),
        (1, 20, 100, Window(0, 20)),
        (5, 20, 100, Window(80, 20)),
        (6, 20, 100, Window(100, 0)),
        (2, 50, 100, Window(50, 50)),
        (3, 50, 100, Window(100, 0)),
        (3, 40, 100, Window(80, 20)),
        (7, 50, 100, Window(300, 0)),
        (20, 50, 1000, Window(950, 50)),
        (21, 50, 1000, Window(1000, 0)),
        (34, 30, 1000, Window(990, 10)),
        (1_000_000_000, 50, 1000, Window(49_999_999_950, 0)),
    ],
)
def test_a_page_is_a_window_that_ends_where_the_row_cap_does(
    pn: int, ps: int, rows: int | None, window: Window
) -> None:
    assert page_window(pn, ps, rows=rows) == window


@pytest.mark.parametrize("ascending", [True, False])
def test_a_page_keeps_the_order_asked_for(ascending: bool) -> None:
    assert page_window(2, 10, ascending, 15) == Window(10, 5, ascending)


@settings(deadline=None)
@given(LENGTHS, SIZES, CAPS)
def test_the_pages_tile_the_rows_that_exist_for_the_viewer(length: int, ps: int, cap: int | None) -> None:
    existing = length if cap is None else min(length, cap)
    pages = [rows_of(page_window(pn, ps, rows=cap), length) for pn in range(1, existing // ps + 3)]
    assert [row for page in pages for row in page] == list(range(existing))
    assert pages[-1] == []
    assert all(len(page) == ps for page in pages[: existing // ps])


@settings(deadline=None)
@given(st.integers(1, 10**9), SIZES, CAPS)
def test_no_window_is_negative_or_larger_than_the_page(pn: int, ps: int, cap: int | None) -> None:
    window = page_window(pn, ps, rows=cap)
    assert window.start == (pn - 1) * ps
    assert 0 <= window.size <= ps


@settings(deadline=None)
@given(LENGTHS, SIZES, CAPS)
def test_windows_after_a_cursor_tile_the_rows_that_exist_for_the_viewer(length: int, ps: int, cap: int | None) -> None:
    existing = length if cap is None else min(length, cap)
    seen = rows_of(page_window(1, ps, rows=cap), length)
    while seen:
        after = Listed(mid=seen[-1] + 1, mtime=1)
        window = cursor_window(after, ps, rank=len(seen), rows=cap)
        assert (window.after, window.start, window.ascending) == (after, 0, False)
        page = list(range(length))[len(seen) :][window.start : window.start + window.size]
        if not page:
            break
        seen += page
    assert seen == list(range(existing))


@pytest.mark.parametrize(
    ("ps", "rank", "rows", "size"),
    [
        (20, 0, None, 20),
        (20, 5000, None, 20),
        (20, 80, 100, 20),
        (20, 90, 100, 10),
        (20, 100, 100, 0),
        (20, 999, 100, 0),
    ],
)
def test_a_window_after_a_cursor_counts_the_row_cap_from_the_newest(
    ps: int, rank: int, rows: int | None, size: int
) -> None:
    assert cursor_window(Listed(7, 3), ps, rank, rows) == Window(0, size, after=Listed(7, 3))
