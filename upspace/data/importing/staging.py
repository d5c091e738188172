"""A DuckDB database in a folder of its own, where rows are gathered, sorted and held against each other.

It keeps to its share of the memory and puts what does not fit on the disk.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from duckdb.func import FunctionNullHandling

from upspace.data.columns import RELATION_COLUMNS, USER_COLUMNS, Column
from upspace.data.importing.plain import KEPT_JSON, kept_json_or_none
from upspace.data.spool import literal, spooled, write_spool
from upspace.store.queries import read_queries
from upspace.store.tables import Row

_PACKAGE = "upspace.data.importing"
QUERIES = {
    name: query
    for file in ("resolving.sql", "filling.sql", "merging.sql")
    for name, query in read_queries(_PACKAGE, file).items()
}

_FOLDER_PREFIX = "upspace-import-"
_LOCK_NAME = "in-use"
_LINE_BITS = 40
# What DuckDB makes of a KeyboardInterrupt, in a query of its own or in a function of ours that it calls.
_INTERRUPTED = ("Query interrupted", "KeyboardInterrupt")
# What Python, the libraries and the store's own cache need beside DuckDB.
_OTHERS_MB = 300
# What DuckDB's documentation asks for, for each of its threads.
_THREAD_MB = 125
MEMORY_MIN_MB = 500
_ROWS_AT_ONCE = 5_000


class Kind(NamedTuple):
    """What the rows of a file are."""

    name: str
    table: str
    columns: Sequence[Column]


USERS = Kind("users", "user_in", USER_COLUMNS)
RELATIONS = Kind("relations", "relation_in", RELATION_COLUMNS)


class Reject(NamedTuple):
    """A row that was not taken; `line` is the number of its line, or in Parquet of the row, from 1."""

    file: str
    line: int
    reason: str


class Staging:
    """The gathered rows. A row is known by its `source`: the number of its file, and its line."""

    def __init__(self, folder: Path, memory_mb: int, *, create_accounts: bool) -> None:
        self.folder = folder
        self._create_accounts = create_accounts
        self._files: list[Path] = []
        self._creating: list[bool] = []
        self.db = duckdb.connect(str(folder / "rows.duckdb"))
        own_mb = memory_mb - _OTHERS_MB
        self.db.execute(f"set memory_limit = '{own_mb}MB'")
        self.db.execute(f"set threads = {max(1, min(os.cpu_count() or 1, own_mb // _THREAD_MB))}")
        self.db.execute(f"set temp_directory = {literal(str(folder / 'spill'))}")
        # Rows are told apart by their place, and those of a sorted table are compared with the ones beside them.
        self.db.execute("set preserve_insertion_order = true")
        self.db.execute("set enable_progress_bar = false")
        self.db.create_function(
            KEPT_JSON,
            kept_json_or_none,
            ["VARCHAR", "VARCHAR"],
            "VARCHAR",
            null_handling=FunctionNullHandling.SPECIAL,
        )
        for kind in (USERS, RELATIONS):
            columns = ", ".join(f"{column.name} {column.sql_type}" for column in kind.columns)
            self.db.execute(f"create table {kind.table} (source bigint, {columns})")
        self.db.execute("create table reject (source bigint, reason varchar, earlier bigint)")
        self.db.execute("create table known (mid bigint, deleted boolean)")
        self.db.execute("create table known_relation (mid bigint, fid bigint)")
        self.db.execute("create table known_group (owner bigint, given bigint, name varchar)")
        self.db.execute("create table group_id (owner bigint, given bigint, id bigint)")

    def add_file(self, path: Path, *, creates_accounts: bool = False) -> int:
        """The source of the line before the first one of a new file: line numbers are added to it.

        With `creates_accounts`, accounts that its relations name come into being, even if others do not.
        """
        self._files.append(path)
        self._creating.append(creates_accounts or self._create_accounts)
        return (len(self._files) - 1) << _LINE_BITS

    @property
    def creates_accounts(self) -> bool:
        """Whether accounts that relations name come into being in any of the files."""
        return any(self._creating)

    def know_files(self) -> None:
        """Let queries ask what a row's file says of all its rows, as all of them are there."""
        times = ", ".join(str(int(path.stat().st_mtime)) for path in self._files)
        creating = ", ".join(map(str, self._creating))
        number = f"[(source >> {_LINE_BITS}) + 1]"
        self.db.execute(f"create macro default_mtime(source) as cast([{times}]{number} as bigint)")
        self.db.execute(f"create macro creates_accounts(source) as [{creating}]{number}")

    def run(self, query: str) -> None:
        """Execute a statement of the files with SQL beside this one."""
        self.db.execute(QUERIES[query])

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return self.value(f"select count(*) from {table}")  # noqa: S608  # names of ours

    def value(self, query: str) -> int:
        """The number that a query gives."""
        (number,) = self.db.execute(query).fetchone() or (0,)
        return int(number)

    def batches(self, query: str) -> Generator[list[Row], None, None]:
        """The rows of such a query, some thousand at a time, while others are executed."""
        cursor = self.db.cursor().execute(QUERIES[query])
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield rows

    def add_rows(self, table: str, names: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add rows that were made in Python."""
        path = self.folder / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            write_spool(file, rows)
        columns = spooled(path, dict(zip(names, types, strict=True)))
        self.db.execute(f"insert into {table} ({', '.join(names)}) from {columns}")
        path.unlink()

    def add_rejects(self, rejects: Iterable[tuple[int, str]]) -> None:
        """Add rows that are not taken, with the reasons."""
        self.add_rows("reject", ("source", "reason"), ("bigint", "varchar"), rejects)

    def rejects(self) -> Iterator[Reject]:
        """The rows that were not taken, in the order of the files and lines."""
        cursor = self.db.execute("select source, reason, earlier from reject order by source")
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            for source, reason, earlier in rows:
                yield Reject(str(self._file(source)), _line(source), reason + self._earlier(source, earlier))

    def _earlier(self, source: int, earlier: int | None) -> str:
        if earlier is None:
            return ""
        where = "" if self._file(earlier) == self._file(source) else f"{self._file(earlier)}, "
        return f" ({where}line {_line(earlier)})"

    def _file(self, source: int) -> Path:
        return self._files[source >> _LINE_BITS]


def _line(source: int) -> int:
    return source & ((1 << _LINE_BITS) - 1)


class StagingError(Exception):
    """Rows cannot be gathered or sorted: there is too little room for them."""


@contextmanager
def staging(temporary_folder: Path | None, memory_mb: int, *, create_accounts: bool = False) -> Iterator[Staging]:
    """A staging area that is gone afterwards. Takes away what imports have left behind that were killed.

    Raises StagingError if the memory or the disk does not suffice for what is done there, and OSError.
    """
    parent = Path(temporary_folder or tempfile.gettempdir())
    for left in parent.glob(f"{_FOLDER_PREFIX}*"):
        with suppress(OSError), _held(left):
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_FOLDER_PREFIX, dir=parent) as folder, _held(Path(folder)):
        try:
            area = Staging(Path(folder), memory_mb, create_accounts=create_accounts)
            with closing(area.db):
                yield area
        except (duckdb.Error, RuntimeError) as error:
            if any(sign in str(error) for sign in _INTERRUPTED):
                raise KeyboardInterrupt from error
            if not isinstance(error, duckdb.Error):
                raise
            raise StagingError(
                f"{str(error).splitlines()[0]} (in {parent}, with {memory_mb} MB of memory:"
                " give it more by --memory-mb, or room by --temporary-folder)"
            ) from error


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder as one that is in use. Raises OSError if somebody does already, by whatever host or container."""
    with (folder / _LOCK_NAME).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
