"""Progress of what has several stages: bars, and lines above them."""

from types import TracebackType
from typing import Any, Self

import click
from tqdm import tqdm


class Bars:
    """Shows the stage under way, with rate and time left if it is known how much there is; only on a terminal.

    Stages that are counted together, of one total, share a bar.
    """

    def __init__(self) -> None:
        self._counted: tuple[str, int, str] | None = None
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
        counted = (unit, total, "" if total else what)
        if counted != self._counted:
            self._end()
            self._bar = tqdm(total=total or None, unit=unit, unit_scale=True, mininterval=0.2, disable=None)
            self._counted = counted
        self._bar.set_description(what, refresh=False)
        self._bar.update(done - self._bar.n)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
