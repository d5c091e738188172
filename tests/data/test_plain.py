"""What SQL takes at once, and what is read cell by cell, is the same."""

from typing import Any

import duckdb
import pytest
from duckdb.func import FunctionNullHandling
from hypothesis import given
from hypothesis import strategies as st

from upspace.data.columns import RELATION_COLUMNS, USER_COLUMNS, Column, Form
from upspace.data.importing.cells import read_cell
from upspace.data.importing.json_cells import CellError
from upspace.data.importing.plain import KEPT_JSON, is_right, kept_json_or_none, value_of

COLUMNS = {column.name: column for column in (*USER_COLUMNS, *RELATION_COLUMNS)}

NUMBERS = st.integers(-(2**64), 2**64).map(str) | st.integers(-3, 70_000).map(str)
STRANGE = st.sampled_from(
    (
        "",
        " ",
        "0",
        "00",
        "01",
        "1 ",
        " 1",
        "+1",
        "-0",
        "1.0",
        "1.",
        "1e3",
        "0x1",
        "1_0",
        "１",
        "nan",
        "inf",
        ".5",
        "0.10",
    )
)
WORDS = st.sampled_from(
    (
        "true",
        "True",
        "false",
        "normal",
        "deleted",
        "reported",
        "男",
        "6",
        "128",
        "02-30",
        "12-31",
        "12-31\n",
        "\0",
        "NULL",
    )
)
JSON = st.sampled_from(
    (
        "{}",
        '{"type": 1}',
        '{"typ": 1}',
        "[]",
        "[-10]",
        "[0]",
        "[1, 1]",
        '[{"id": 1, "name": "g"}]',
        "null",
        '{"tags":["a"]}',
    )
)
TEXTS = NUMBERS | STRANGE | WORDS | JSON | st.text(max_size=12) | st.floats(0, allow_infinity=False).map(repr)


@pytest.fixture(scope="module")
def db() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.create_function(
        KEPT_JSON, kept_json_or_none, ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling=FunctionNullHandling.SPECIAL
    )
    return connection


def in_sql(db: duckdb.DuckDBPyConnection, column: Column, cell: str | None) -> tuple[bool, Any]:
    """Whether a cell is plainly right, and what is kept for it."""
    query = (
        f"select {is_right(column, 'cell')}, case when {is_right(column, 'cell')} then {value_of(column, 'cell')} end"
    )
    (row,) = db.execute(f"{query} from (select $1::varchar as cell)", [cell]).fetchall()  # our own
    return row[0], row[1]


@pytest.mark.parametrize("name", COLUMNS)
@given(data=st.data())
def test_what_is_plainly_right_is_what_is_read(db: duckdb.DuckDBPyConnection, name: str, data: st.DataObject) -> None:
    column = COLUMNS[name]
    cell = data.draw(TEXTS)
    is_plain, value = in_sql(db, column, cell)
    if is_plain:
        read = read_cell(column, cell)
        assert (value, type(value)) == (read, type(read) if column.form is not Form.CHOICE else type(value))


@pytest.mark.parametrize("name", COLUMNS)
def test_what_is_written_as_it_usually_is_is_plainly_right(db: duckdb.DuckDBPyConnection, name: str) -> None:
    column = COLUMNS[name]
    usual = {
        Form.INTEGER: [str(bound) for bound in column.bounds],
        Form.CHOICE: list(column.choices),
        Form.REAL: ["0", "1", "12.5", "0.30"],
        Form.TEXT: ["12-31"] if column.pattern else ["a", "名 <&> 'x'", "\n"],
        Form.JSON: [{"groups": "[-10, 3]", "own_groups": '[{"id": 1, "name": "g"}]'}.get(name, "{}")],
    }
    for cell in usual[column.form]:
        assert in_sql(db, column, cell) == (True, read_cell(column, cell)), cell
    assert in_sql(db, column, None)[0] is not column.needed


def test_no_cell_is_read_as_something_that_is_not_of_its_column(db: duckdb.DuckDBPyConnection) -> None:
    for column in COLUMNS.values():
        if column.form in (Form.INTEGER, Form.CHOICE, Form.REAL, Form.JSON):
            with pytest.raises(CellError, match=f"^{column.name}|^groups"):
                read_cell(column, "?")
            assert in_sql(db, column, "?") == (False, None)
