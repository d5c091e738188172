"""The same rules as `cells` has, in SQL and for what is plainly right: nearly every cell is, and SQL looks at millions.

Whatever is not taken here is read again by `read_cell`, which takes a little more and says what is wrong with the rest.
"""

from functools import lru_cache

from upspace.data.columns import Column, Form
from upspace.data.importing.json_cells import CellError, kept_json
from upspace.data.spool import literal

KEPT_JSON = "kept_json"
"""What `kept_json_or_none` is called in SQL."""

_TEXTS_REMEMBERED = 20_000
_LENGTH_REMEMBERED = 1_000


def kept_json_or_none(name: str, text: str) -> str | None:
    """What is kept for a JSON text, None if it is wrong."""
    # Objects take few distinct values over many accounts, and long ones would fill the memory.
    return _remembered(name, text) if len(text) <= _LENGTH_REMEMBERED else _kept_or_none(name, text)


def _kept_or_none(name: str, text: str) -> str | None:
    try:
        return kept_json(name, text)
    except CellError:
        return None


_remembered = lru_cache(_TEXTS_REMEMBERED)(_kept_or_none)


def is_right(column: Column, cell: str) -> str:
    """SQL: whether a cell, a text or null, is plainly right. Never null itself."""
    return f"({'false' if column.needed else f'{cell} is null'} or coalesce({_is_right(column, cell)}, false))"


def _is_right(column: Column, cell: str) -> str:
    match column.form:
        case Form.INTEGER:
            number = f"try_cast({cell} as bigint)"
            least, most = column.bounds
            # SQL takes 1e3 and 2.5 for whole numbers too, but does not write them like that.
            return f"{number} between {least} and {most} and cast({number} as varchar) = {cell}"
        case Form.CHOICE:
            return f"{cell} in ({', '.join(map(literal, column.choices))})"
        case Form.REAL:
            return f"regexp_full_match({cell}, '[0-9]{{1,15}}(\\.[0-9]{{1,15}})?')"
        case Form.TEXT if column.pattern:
            return f"regexp_full_match({cell}, {literal(column.pattern)})"
        case Form.TEXT:
            return f"not contains({cell}, chr(0)) and ({cell} <> '' or {column.name != 'name'})"
        case Form.JSON:
            return f"{_kept_json(column, cell)} is not null"


def value_of(column: Column, cell: str) -> str:
    """SQL: what is kept for a cell that is plainly right."""
    match column.form:
        case Form.INTEGER | Form.REAL:
            return f"cast({cell} as {column.sql_type})"
        case Form.CHOICE if column.sql_type != "varchar":
            cases = " ".join(f"when {literal(text)} then {int(value)}" for text, value in column.choices.items())
            return f"cast(case {cell} {cases} end as {column.sql_type})"
        case Form.CHOICE | Form.TEXT:
            return cell
        case Form.JSON:
            return _kept_json(column, cell)


def _kept_json(column: Column, cell: str) -> str:
    return f"case when {cell} is not null then {KEPT_JSON}({literal(column.name)}, {cell}) end"
