"""Rows on their way to DuckDB, which reads a file a hundred times as fast as it takes values one by one."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_PATTERN = re.compile(r"[\[*?]")


def write_spool(file: IO[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to a file for `spooled`; it is open as UTF-8 with newline=""."""
    file.writelines(",".join(map(_written, row)) + "\n" for row in rows)


def spooled(path: Path, types: Mapping[str, str]) -> str:
    """SQL: the rows of such a file, with the columns of these names and types."""
    columns = ", ".join(f"'{name}': '{sql_type}'" for name, sql_type in types.items())
    return (
        f"read_csv({file_literal(path)}, columns = {{{columns}}}, header = false, auto_detect = false, delim = ',',"
        " quote = '\"', escape = '\"', new_line = '\\n', allow_quoted_nulls = false, max_line_size = 100000000)"
    )


def literal(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """The path of a file that is read, as SQL has it: DuckDB takes it for a pattern."""
    return literal(_PATTERN.sub(r"[\g<0>]", str(path)))


def _written(value: Any) -> str:
    """Texts are in quotes, so that an empty one is not taken for none."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.replace('"', '""') + '"'
        case float():
            return repr(value)
        case _:
            return str(int(value))
