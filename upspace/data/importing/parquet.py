"""Reading Parquet, whatever types its columns have."""

from pathlib import Path

import duckdb

from upspace.data.columns import Column, Form
from upspace.data.formats import FormatError
from upspace.data.importing.intake import Intake
from upspace.data.importing.mapping import Names, columns_of
from upspace.data.importing.plain import is_right, value_of
from upspace.data.importing.staging import Kind, Staging
from upspace.data.spool import file_literal

_ROWS_AT_ONCE = 5_000
_FRACTIONS = ("FLOAT", "DOUBLE")
_TIMES = ("TIMESTAMP", "DATE")
_NESTED = ("STRUCT", "MAP", "JSON")


def read_parquet(staging: Staging, kind: Kind, path: Path, names: Names) -> list[str]:
    """Read a Parquet file; the columns of it that are not used.

    Raises FormatError if it is not one, or lacks a column that has to be there.
    """
    file = f"read_parquet({file_literal(path)}, file_row_number = true, binary_as_string = true)"
    try:
        described = staging.db.execute(f"describe select * from {file}").fetchall()  # noqa: S608  # a quoted path
        types = {name: sql_type for name, sql_type, *_ in described if name != "file_row_number"}
        columns = columns_of(kind, names, list(types), str(path))
        used = [(f"c{place}", column) for place, column in columns.used]
        cells = ", ".join(
            f"{_as_text(theirs, types[theirs], column)} as c{place}"
            for place, (theirs, column) in enumerate(zip(types, columns.all, strict=True))
            if column is not None
        )
        rows = f"(select file_row_number + 1 as row, {cells} from {file})"  # noqa: S608  # names are quoted
        _take(staging, kind, staging.add_file(path), rows, used)
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        raise FormatError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    return columns.unused


def _take(staging: Staging, kind: Kind, source: int, rows: str, used: list[tuple[str, Column]]) -> None:
    """Take all rows that are plainly right at once, and the others one by one."""
    right = " and ".join(is_right(column, cell) for cell, column in used)
    names = ", ".join(column.name for _, column in used)
    values = ", ".join(value_of(column, cell) for cell, column in used)
    staging.db.execute(
        f"insert into {kind.table} (source, {names}) select {source} + row, {values} from {rows} where {right}"  # noqa: S608  # names of ours
    )
    intake = Intake(staging, kind, [column for _, column in used])
    cells = ", ".join(cell for cell, _ in used)
    cursor = staging.db.cursor()
    strange = cursor.execute(f"select row, {cells} from {rows} where not ({right}) order by row")  # noqa: S608  # as above
    while found := strange.fetchmany(_ROWS_AT_ONCE):
        for row, *texts in found:
            intake.take(source + row, texts)
        intake.flush()


def _as_text(theirs: str, sql_type: str, column: Column) -> str:
    """SQL: the value of a column of any type as the text of a cell."""
    cell = '"' + theirs.replace('"', '""') + '"'
    if sql_type.startswith(_NESTED) or sql_type.endswith("[]"):
        return f"cast(to_json({cell}) as varchar)"
    if column.form in (Form.INTEGER, Form.CHOICE):
        if sql_type.startswith(_FRACTIONS):
            # Programs that know no missing integers write fractions, and NaN for what is missing.
            number = f"nullif(cast({cell} as double), 'nan'::double)"
            whole = f"{number} = trunc({number}) and abs({number}) < 1e15"
            return (
                f"case when {whole} then cast(cast({number} as bigint) as varchar) else cast({number} as varchar) end"
            )
        if sql_type.startswith(_TIMES):
            return f"cast(cast(floor(epoch({cell})) as bigint) as varchar)"
    return f"cast({cell} as varchar)"
