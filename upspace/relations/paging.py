"""From page numbers to windows (contract, section 5.4)."""

from upspace.model import Listed, Window


def page_window(pn: int, ps: int, ascending: bool = False, rows: int | None = None) -> Window:
    """The window of page `pn`, cut off where the first `rows` rows of the list end; its size may be 0."""
    start = (pn - 1) * ps
    size = ps if rows is None else max(0, min(ps, rows - start))
    return Window(start=start, size=size, ascending=ascending)


def cursor_window(after: Listed, ps: int, rank: int, rows: int | None = None) -> Window:
    """The window that follows the element `after`.

    `rank` is how many rows of the list, counted from the newest, come up to and including `after`.
    """
    size = ps if rows is None else max(0, min(ps, rows - rank))
    return Window(start=0, size=size, after=after)
