"""Progress of what has several stages: a bar for each, and lines above it."""

from types import TracebackType
from typing import Any, Self

import click
from tqdm import tqdm


class Bars:
    """Shows the stage under way, with rate and time left if it is known how much there is; only on a terminal."""

    def __init__(self) -> None:
        self._what = ""
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def rows(self, what: str, done: int, total: int) -> None:
        """So many rows of so many are done of what goes on; 0 if that is not known."""
        self._show(what, " rows", done, total)

    def bytes(self, what: str, done: int, total: int) -> None:
        """The same of bytes."""
        self._show(what, "B", done, total)

    def say(self, line: str) -> None:
        """Print a line on stderr, above the bar."""
        with tqdm.external_write_mode():
            click.echo(line, err=True)

    def _show(self, what: str, unit: str, done: int, total: int) -> None:
        if what != self._what:
            self._end()
            self._bar = tqdm(desc=what, unit=unit, unit_scale=True, mininterval=0.2, disable=None)
            self._what = what
        self._bar.total = total or None
        self._bar.update(done - self._bar.n)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
