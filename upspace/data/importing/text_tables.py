"""Reading CSV and edge lists: a block of lines at once where all is plain, line by line where it is not."""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import duckdb

from upspace.data.columns import RELATION_COLUMNS, Column, named
from upspace.data.formats import FormatError
from upspace.data.importing.blocks import Advance, Block, read_blocks
from upspace.data.importing.intake import Intake
from upspace.data.importing.mapping import Columns, Names, columns_of
from upspace.data.importing.plain import is_right, value_of
from upspace.data.importing.staging import RELATIONS, Kind, Staging
from upspace.data.spool import file_literal, literal

Record = tuple[int, list[str | None] | str]
"""The number of the line on which a row begins, from 0 in its block, and its cells, or what is wrong with it."""

_DELIMITERS = ",\t;|"
_EDGE = re.compile(r"\s*\d+([\s,;]+)\d+(?:([\s,;]+)\d+)?\s*")
_EDGE_PARTS = re.compile(r"[\s,;]+")
_EDGE_COLUMNS = tuple(named(RELATION_COLUMNS)[name] for name in ("mid", "fid", "mtime"))

# Lines end where blocks count them to end, not at every carriage return.
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_COMMENTS = re.compile(rb"(?:[ \t]*#[^\n]*(?:\n|\Z))+")

# The default, 128 KiB, is less than an account's decorations may take.
csv.field_size_limit(2**31 - 1)


def read_csv(staging: Staging, kind: Kind, path: Path, names: Names, advance: Advance) -> list[str]:
    """Read a CSV file; the columns of it that are not used.

    Raises FormatError if it lacks a column that has to be there, and OSError.
    """
    blocks = read_blocks(path, quoted=True)
    first = next(blocks, None)
    if first is None:
        raise FormatError(f"{path} is empty: a line with the names of the columns is needed")
    if first.damage and b"\n" not in first.data:
        raise FormatError(f"{path}: {first.damage}")
    heading, _, rest = first.data.partition(b"\n")
    text = heading.decode(errors="replace").rstrip("\r")
    delimiter = max(_DELIMITERS, key=text.count)
    try:
        theirs = next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error as error:
        raise FormatError(f"{path}: its first line does not name the columns: {error}") from error
    columns = columns_of(kind, names, theirs, str(path))
    table = _CsvTable(staging, kind, path, columns, delimiter)
    for block in chain((first._replace(line=2, data=rest),), blocks):
        table.read(block)
        advance(block.read_bytes)
    return columns.unused


def read_edges(staging: Staging, path: Path, advance: Advance) -> None:
    """Read an edge list: two numbers on a line, who follows and who is followed, and maybe the time as a third.

    Raises FormatError and OSError.
    """
    table = _EdgeTable(staging, path)
    for block in read_blocks(path, quoted=False):
        table.read(block)
        advance(block.read_bytes)


class _CsvTable:
    """The rows of a CSV file."""

    def __init__(
        self,
        staging: Staging,
        kind: Kind,
        path: Path,
        columns: Columns,
        delimiter: str,
        *,
        creates_accounts: bool = False,
    ) -> None:
        self._staging = staging
        self._kind = kind
        self._source = staging.add_file(path, creates_accounts=creates_accounts)
        self._columns = columns
        self._delimiter = delimiter
        self._intake = Intake(staging, kind, [column for _, column in columns.used])

    def read(self, block: Block) -> None:
        """Take the rows of a block, or reject them."""
        whole = self._complete(block)
        strange = self._read_at_once(whole) if _is_plain(whole, self._delimiter) else None
        if strange is None:
            self._take(whole.line, self._records(whole.data.decode(errors="surrogateescape")))
        elif strange:
            lines = whole.data.split(b"\n")
            for index in strange:
                self._take(whole.line + index, self._records(lines[index].decode()))
        self._intake.flush()

    def _complete(self, block: Block) -> Block:
        """The block without the line that is not complete, which is rejected."""
        if not block.damage:
            return block
        whole = block._replace(data=block.data[: block.data.rfind(b"\n") + 1], damage="")
        self._intake.reject(self._source + whole.line + whole.lines, block.damage)
        return whole

    def _read_at_once(self, block: Block) -> list[int] | None:
        """Take all rows that are plainly right; the lines, from 0, that have to be looked at one by one.

        None if there is not one row on each line, each of as many columns.
        """
        parting = self._parting(block)
        if parting is None:
            return None
        spool = self._staging.folder / "block.csv"
        spool.write_bytes(block.data)
        db = self._staging.db
        try:
            db.execute(f"create or replace temp table block as {parting.select(spool)}")
        except duckdb.InvalidInputException:
            return None
        if self._staging.count("block") != block.lines:
            return None
        right = parting.is_right
        names = ", ".join(column.name for _, column in parting.used)
        values = ", ".join(value_of(column, cell) for cell, column in parting.used)
        db.execute(
            f"insert into {self._kind.table} (source, {names})"  # noqa: S608  # names of ours
            f" select {self._source + block.line} + line, {values} from block where {right}"
        )
        return [line for (line,) in db.execute(f"select line from block where not ({right}) order by line").fetchall()]  # noqa: S608  # as above

    def _parting(self, block: Block) -> "_Parting | None":  # noqa: ARG002  # that of an edge list depends on the block
        """How the lines of a block are parted, if all of them are."""
        return _Parting(self._delimiter, '"', self._columns.all)

    def _records(self, text: str) -> Iterator[Record]:
        """The rows of a text, one by one."""
        reader = csv.reader(_LINE.findall(text), delimiter=self._delimiter, strict=True)
        places = [place for place, _ in self._columns.used]
        width = len(self._columns.all)
        line = 0
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield line, f"not CSV: {error}"
            else:
                if cells is None:
                    return
                # Some programs end lines with delimiters; DuckDB overlooks them, too.
                while len(cells) > width and not cells[-1]:
                    cells.pop()
                if cells and len(cells) != width:
                    yield line, f"there are {len(cells)} columns, not {width}"
                elif cells:
                    yield line, [cells[place] or None for place in places]
            line = reader.line_num

    def _take(self, line: int, records: Iterable[Record]) -> None:
        for index, cells in records:
            source = self._source + line + index
            if isinstance(cells, str):
                self._intake.reject(source, cells)
            else:
                self._intake.take(source, cells)


class _EdgeTable(_CsvTable):
    """The rows of an edge list. What stands between the numbers may differ from line to line."""

    def __init__(self, staging: Staging, path: Path) -> None:
        super().__init__(staging, RELATIONS, path, Columns(_EDGE_COLUMNS, []), " ", creates_accounts=True)

    def read(self, block: Block) -> None:
        """Take the rows of a block, or reject them. Comments at its beginning cost nothing."""
        if comments := _COMMENTS.match(block.data):
            lines = comments[0].count(b"\n")
            block = block._replace(line=block.line + lines, data=block.data[comments.end() :])
        super().read(block)

    def _parting(self, block: Block) -> "_Parting | None":
        found = _EDGE.fullmatch(block.data.partition(b"\n")[0].decode())
        if found is None or len(found[1]) > 1 or found[2] not in (None, found[1]):
            return None
        return _Parting(found[1], "", _EDGE_COLUMNS if found[2] else _EDGE_COLUMNS[:2])

    def _records(self, text: str) -> Iterator[Record]:
        width = len(_EDGE_COLUMNS)
        for line, row in enumerate(text.split("\n")):
            cells = _EDGE_PARTS.split(row.strip())
            if cells[0] == "" or cells[0].startswith("#"):
                continue
            if len(cells) not in (width - 1, width):
                yield line, f"there are {len(cells)} columns, not {width - 1} or {width}"
            else:
                yield line, [*cells, None][:width]


class _Parting(NamedTuple):
    """How lines are parted into cells."""

    delimiter: str
    quote: str
    columns: tuple[Column | None, ...]

    @property
    def used(self) -> list[tuple[str, Column]]:
        """The columns that are used, with the cells of the table in SQL."""
        return [(f"c{place}", column) for place, column in enumerate(self.columns) if column is not None]

    @property
    def is_right(self) -> str:
        """SQL: whether a row is plainly right."""
        return " and ".join(is_right(column, cell) for cell, column in self.used)

    def select(self, path: Path) -> str:
        """SQL: the cells of a file and the line of each, from 0. An empty cell is none."""
        types = ", ".join(f"'c{place}': 'varchar'" for place in range(len(self.columns)))
        cells = ", ".join(f"nullif({cell}, '') as {cell}" for cell, _ in self.used)
        return (
            f"select row_number() over () - 1 as line, {cells} from read_csv("  # noqa: S608  # a path of ours
            f"{file_literal(path)}, columns = {{{types}}}, header = false, auto_detect = false,"
            f" delim = {literal(self.delimiter)}, quote = {literal(self.quote)}, escape = {literal(self.quote)},"
            f" max_line_size = 100000000)"
        )


def _is_plain(block: Block, delimiter: str) -> bool:
    """Whether DuckDB agrees with Python about the lines, the cells and the characters of a block."""
    data = block.data
    # White space beside quotes is part of a cell, or an error, but DuckDB overlooks it.
    if f'{delimiter} "'.encode() in data or f'" {delimiter}'.encode() in data or b'" \n' in data or b'\n "' in data:
        return False
    if b"\0" in data or (b"\r" in data and not data.count(b"\r") == data.count(b"\r\n") == block.lines):
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
