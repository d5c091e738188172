"""From page numbers to windows (contract, section 5.4)."""

from upspace.model import Listed, Window
from upspace.wire.codes import MID_MAX, PS_MAX


def page_window(pn: int, ps: int, ascending: bool = False, rows: int | None = None) -> Window:
    """The window of page `pn`, cut off where the first `rows` rows of the list end; its size may be 0."""
    start = (pn - 1) * ps
    size = ps if rows is None else max(0, min(ps, rows - start))
    return Window(start=start, size=size, ascending=ascending)


def optional_window(pn: int | None, ps: int | None) -> Window:
    """The window of a list that is whole unless a page of it is asked for, by number, by size, or both."""
    if pn is None and ps is None:
        return Window(start=0, size=MID_MAX)
    return page_window(pn or 1, ps or PS_MAX)


def cursor_window(after: Listed, ps: int, rank: int, rows: int | None = None) -> Window:
    """The window that follows the element `after`.

    `rank` is how many rows of the list, counted from the newest, come up to and including `after`.
    """
    size = ps if rows is None else max(0, min(ps, rows - rank))
    return Window(start=0, size=size, after=after)
