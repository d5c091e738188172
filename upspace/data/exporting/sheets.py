"""Files of rows in each format: each is written beside its place, and put there when it is complete."""

import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import duckdb
import msgspec
import zstandard

from upspace.data.columns import Column, Form
from upspace.data.formats import Format, FormatError, Packing, packing_of
from upspace.data.outputs import in_place_of, is_stream
from upspace.data.spool import literal, spooled, write_spool
from upspace.store.tables import Row, converted_at
from upspace.wire.codes import ATTRIBUTES_OF_FOLLOWS

Write = Callable[[Sequence[Row]], None]
"""Adds rows to a file."""

Convert = Callable[[Any], Any]
"""Makes the value of a cell for a format out of one of the store."""

_FLAGS = {None: None, False: "false", True: "true"}
_GZIP_LEVEL = 6
# How many rows Parquet keeps together; DuckDB's own choice.
_ROW_GROUP = 122_880


@contextmanager
def sheet(path: Path, file_format: Format, columns: Sequence[Column], memory_mb: int) -> Iterator[Write]:
    """A file that takes rows of these columns. What was in its place stays until it is complete.

    Raises FormatError if it cannot be written.
    """
    if file_format is Format.PARQUET and is_stream(path):
        raise FormatError(f"{path} is not a regular file, which Parquet needs")
    try:
        with in_place_of(path) as place:
            if file_format is Format.PARQUET:
                with _parquet(place, columns, memory_mb) as write:
                    yield write
            else:
                with _packed(place, packing_of(path)) as file:
                    yield _text(file, path, file_format, columns)
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror or error}") from error
    except duckdb.Error as error:
        raise FormatError(f"{path}: {str(error).splitlines()[0]}") from error


def _packed(path: Path, packing: Packing) -> IO[bytes]:
    match packing:
        case Packing.GZIP:
            return cast(IO[bytes], gzip.open(path, "wb", compresslevel=_GZIP_LEVEL))
        case Packing.ZSTD:
            return cast(IO[bytes], zstandard.open(path, "wb"))
        case Packing.NONE:
            return path.open("wb")


def _text(file: IO[bytes], path: Path, file_format: Format, columns: Sequence[Column]) -> Write:
    match file_format:
        case Format.JSONL:
            return _json_lines(file, columns)
        case Format.EDGES:
            return _edges(file, columns)
        case _:
            return _csv(file, columns, "\t" if ".tsv" in path.suffixes else ",")


def _csv(file: IO[bytes], columns: Sequence[Column], delimiter: str) -> Write:
    """The standard library's writer leaves a carriage return unquoted, at which readers end the row."""
    conversions = _conversions(columns, {Form.JSON: _json_text}, flag=_FLAGS.__getitem__)
    needs_quotes = re.compile(rf'["\r\n{delimiter}]').search

    def cell(value: Any) -> str:
        if value is None:
            return ""
        text = str(value)
        return '"' + text.replace('"', '""') + '"' if needs_quotes(text) else text

    def write(rows: Sequence[Row]) -> None:
        lines = [delimiter.join(map(cell, row)) for row in converted_at(rows, conversions)]
        file.write("".join(f"{line}\n" for line in lines).encode())

    file.write((delimiter.join(column.name for column in columns) + "\n").encode())
    return write


def _json_lines(file: IO[bytes], columns: Sequence[Column]) -> Write:
    encode = msgspec.json.Encoder().encode
    names = [column.name for column in columns]
    conversions = _conversions(columns, {Form.JSON: _json_value})

    def write(rows: Sequence[Row]) -> None:
        for row in converted_at(rows, conversions):
            given = {name: value for name, value in zip(names, row, strict=True) if value is not None}
            file.write(encode(given) + b"\n")

    return write


def _edges(file: IO[bytes], columns: Sequence[Column]) -> Write:
    """Only open follows: an edge list says nothing of other relations."""
    places = [[column.name for column in columns].index(name) for name in ("mid", "fid", "mtime", "attribute")]

    def write(rows: Sequence[Row]) -> None:
        edges = ([row[place] for place in places] for row in rows)
        file.write(
            b"".join(
                b"%d\t%d\t%d\n" % (mid, fid, mtime) for mid, fid, mtime, of in edges if of in ATTRIBUTES_OF_FOLLOWS
            )
        )

    file.write(b"# mid\tfid\tmtime\n")
    return write


@contextmanager
def _parquet(path: Path, columns: Sequence[Column], memory_mb: int) -> Iterator[Write]:
    """Parquet is written as a whole from a file of text that lies beside it."""
    conversions = _conversions(columns, {Form.JSON: _json_text})
    types = {column.name: _parquet_type(column) for column in columns}
    spool = path.with_suffix(".spool")
    try:
        with spool.open("w", encoding="utf-8", newline="") as file:
            yield lambda rows: write_spool(file, converted_at(rows, conversions))
        with duckdb.connect(config={"memory_limit": f"{memory_mb}MB", "preserve_insertion_order": True}) as db:
            db.execute("set enable_progress_bar = false")
            db.execute(
                f"copy (from {spooled(spool, types)}) to {literal(str(path))}"
                f" (format parquet, compression zstd, row_group_size {_ROW_GROUP})"
            )
    finally:
        with suppress(OSError):
            spool.unlink(missing_ok=True)


def _parquet_type(column: Column) -> str:
    if column.name == "groups":
        return "bigint[]"
    if column.form is Form.JSON or column.name in ("state", "counter_mode"):
        return "varchar"
    return column.sql_type


def _conversions(
    columns: Sequence[Column], by_form: Mapping[Form, Convert], flag: Convert | None = None
) -> dict[int, Convert]:
    """What is to be done with the values of which columns; `flag` is for those that are true or false."""
    found = {place: by_form[column.form] for place, column in enumerate(columns) if column.form in by_form}
    if flag is not None:
        found |= {place: flag for place, column in enumerate(columns) if column.sql_type == "boolean"}
    return found


def _json_text(value: Any) -> str | None:
    """JSON that the store keeps as a text, and groups."""
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _json_value(value: Any) -> Any:
    return msgspec.Raw(value.encode()) if isinstance(value, str) else value
