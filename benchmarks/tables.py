"""Tables in Markdown, and figures as they stand in them."""

from collections.abc import Iterable, Mapping, Sequence

from results import Machine, Ratio

ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
"""What engines are called in texts."""


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


def measured_on(date: str, machine: Machine, versions: Mapping[str, str]) -> str:
    """When, where and with what figures were measured."""
    shown = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"Measured on {date} on {machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GB, {machine.system}, load"
        f" average of the minute before {machine.load_before:g}; {shown}."
    )
