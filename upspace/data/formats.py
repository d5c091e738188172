"""The formats of files of users and relations, and how files are packed."""

from enum import StrEnum
from pathlib import Path


class FormatError(Exception):
    """A file that cannot be used as what it is given for, in one sentence for a person."""


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    """A line with the names of the columns, then a line for each row; commas, tabs or semicolons in between."""
    JSONL = "jsonl"
    """A JSON object on each line."""
    PARQUET = "parquet"
    EDGES = "edges"
    """Relations only: two numbers on a line, and maybe the time as a third; lines that begin with # are comments."""


class Packing(StrEnum):
    """How a file is compressed; Parquet does that by itself."""

    NONE = ""
    GZIP = "gzip"
    ZSTD = "zstd"


_FORMATS = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".txt": Format.EDGES,
    ".edges": Format.EDGES,
}
_PACKINGS = {".gz": Packing.GZIP, ".zst": Packing.ZSTD}


def format_of(path: Path) -> Format:
    """The format that the name of a file says. Raises FormatError if it says none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKINGS:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _FORMATS:
        raise FormatError(
            f"{path}: what format is it? Its name should end in {', '.join(_FORMATS)} (and maybe .gz, .zst)"
        )
    found = _FORMATS[suffixes[-1]]
    if found is Format.PARQUET and packing_of(path) is not Packing.NONE:
        raise FormatError(f"{path}: Parquet is packed by itself: leave out {path.suffix}")
    return found


def packing_of(path: Path) -> Packing:
    """The packing that the name of a file says."""
    return _PACKINGS.get(path.suffix.lower(), Packing.NONE)
