"""Rows that are looked at one by one on their way into the staging area."""

from collections.abc import Sequence

from upspace.data.columns import Column
from upspace.data.importing.cells import Value, read_cell
from upspace.data.importing.json_cells import CellError
from upspace.data.importing.staging import Kind, Staging

Cells = Sequence[str | None]
"""The texts of a row, in the order of the columns; None where there is nothing."""

_ROWS_AT_ONCE = 20_000


class Intake:
    """Takes rows that have these columns, or rejects them with the reason; `flush` puts them where they belong."""

    def __init__(self, staging: Staging, kind: Kind, columns: Sequence[Column]) -> None:
        self._staging = staging
        self._kind = kind
        self._columns = columns
        self._rows: list[tuple[Value | None, ...]] = []
        self._rejects: list[tuple[int, str]] = []

    def take(self, source: int, cells: Cells) -> None:
        """Read the cells of a row."""
        try:
            values = [
                None if cell is None else read_cell(column, cell)
                for column, cell in zip(self._columns, cells, strict=True)
            ]
            for column, value in zip(self._columns, values, strict=True):
                if value is None and column.needed:
                    raise CellError(f"{column.name}: it is missing")
        except CellError as error:
            self.reject(source, str(error))
            return
        self._rows.append((source, *values))
        if len(self._rows) >= _ROWS_AT_ONCE:
            self.flush()

    def reject(self, source: int, reason: str) -> None:
        """Note that a row cannot be taken."""
        self._rejects.append((source, reason))

    def flush(self) -> None:
        """Put what was taken and what was rejected into the tables."""
        if self._rows:
            names = ("source", *(column.name for column in self._columns))
            types = ("bigint", *(column.sql_type for column in self._columns))
            self._staging.add_rows(self._kind.table, names, types, self._rows)
        if self._rejects:
            self._staging.add_rejects(self._rejects)
        self._rows, self._rejects = [], []
