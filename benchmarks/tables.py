"""Tables in Markdown, and figures as they stand in them."""

from collections.abc import Iterable, Sequence

from results import Ratio


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1) -> str:
    """A table whose first columns are texts and the others numbers."""
    lines = [head, ("---",) * texts + ("---:",) * (len(head) - texts), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def against_goal(ratio: Ratio, goal: float, digits: int) -> str:
    """A ratio, the goal that it had to reach, and whether it did."""
    met = "met" if ratio.median >= goal else "**not met**"
    return f"{ratio.median:.{digits}f} ({goal:g}: {met})"


def spread(ratio: Ratio, digits: int) -> str:
    """From the lowest to the highest."""
    return f"{ratio.lowest:.{digits}f} to {ratio.highest:.{digits}f}"
