"""Reading one cell of a file, whatever its format: every value comes as a text."""

import math
import re

from upspace.data.columns import Column, Form
from upspace.data.importing.json_cells import CellError, kept_json

Value = str | int | float | bool
"""What is kept for a cell."""

_TEXT_SHOWN = 60
# More digits than any number here has; Python would take long to read many of them.
_DIGITS_MAX = 30

# Programs that know no missing integers write 1.0 for 1.
_INTEGER = re.compile(r"([+-]?[0-9]+)(\.0*)?", re.ASCII)
_REAL = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


def read_cell(column: Column, text: str) -> Value:
    """What is kept for the text of a cell. Raises CellError that names the column and says what is wrong.

    White space around what is not a text of its own does not count.
    """
    match column.form:
        case Form.INTEGER:
            return _read_integer(column, text.strip())
        case Form.CHOICE:
            return _read_choice(column, text.strip())
        case Form.REAL:
            return _read_real(column, text.strip())
        case Form.TEXT:
            return _read_text(column, text)
        case Form.JSON:
            return kept_json(column.name, text)


def _read_integer(column: Column, text: str) -> int:
    found = _INTEGER.fullmatch(text)
    if found is None:
        raise CellError(f"{column.name}: {shown(text)} is not a whole number")
    digits = found.group(1)
    least, most = column.bounds
    value = int(digits) if len(digits) <= _DIGITS_MAX else None
    if value is None or not least <= value <= most:
        raise CellError(f"{column.name}: {shown(text)} is not within {least} to {most}")
    return value


def _read_choice(column: Column, text: str) -> Value:
    value = column.choices.get(text)
    if value is None and (found := _INTEGER.fullmatch(text)):
        value = column.choices.get(found.group(1))
    if value is None:
        raise CellError(f"{column.name}: {shown(text)} is none of {', '.join(column.choices)}")
    return value


def _read_real(column: Column, text: str) -> float:
    value = float(text) if _REAL.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise CellError(f"{column.name}: {shown(text)} is not a number of at least 0")
    return value


def _read_text(column: Column, text: str) -> str:
    if "\0" in text:
        raise CellError(f"{column.name}: {shown(text)} has the character U+0000")
    if not is_utf8(text):
        raise CellError(f"{column.name}: {shown(text)} is not UTF-8")
    if column.pattern and not re.fullmatch(column.pattern, text):
        raise CellError(f"{column.name}: {shown(text)} is not {column.meaning}")
    if column.name == "name" and not text:
        raise CellError("name: it is empty")
    return text


def is_utf8(text: str) -> bool:
    """Whether all of a text can be written: what a file has in the place of characters is decoded as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(text: str) -> str:
    """A text as a person is shown it: on one line, not too long."""
    cut = text if len(text) <= _TEXT_SHOWN else text[: _TEXT_SHOWN - 1] + "…"
    return ascii(cut) if not is_utf8(cut) else repr(cut)
