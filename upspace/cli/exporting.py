"""`upspace export` and `upspace checksum`."""

from pathlib import Path

import click

from upspace.cli.bars import Bars
from upspace.cli.common import format_option, run_interruptibly, store_option
from upspace.cli.moving import say_tables
from upspace.data.formats import Format, FormatError
from upspace.store import sum_up_store
from upspace.store.interface import StoreError
from upspace.store.moving import Moved

_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command()
@store_option
@click.option("--users", type=_FILE, metavar="FILE", help="where accounts are written")
@click.option("--relations", type=_FILE, metavar="FILE", help="where relations are written")
@format_option(
    "what the files are to be, if their names do not say it by .csv, .tsv, .jsonl, .parquet, or .txt for an edge list "
    "(and .gz or .zst)"
)
def export(store: str, users: Path | None, relations: Path | None, file_format: Format | None) -> None:
    """Write accounts and relations to CSV, JSON Lines or Parquet files, packed as their names end.

    Both files show the store as it is at the start, while others go on writing to it. `upspace import` makes an equal
    community of them; tokens are not written. An edge list has open follows alone. Files that are there already are
    replaced when the new ones are complete. /dev/stdout or a pipe will do, but for Parquet.
    """
    from upspace.data.exporting.run import export_files
    from upspace.data.outputs import is_stream

    if users is None and relations is None:
        raise click.UsageError("what is to be exported? Say it with --users FILE or --relations FILE")
    try:
        with Bars() as bars:
            done = run_interruptibly(export_files(store, users, relations, file_format, bars.rows))
    except (FormatError, StoreError) as error:
        raise click.ClickException(str(error)) from error
    parts = zip(("users", "relations"), (users, relations), done, strict=True)
    said = ", ".join(f"{count:,} {what} are in {path}" for what, path, count in parts if path is not None)
    # Rows may go to standard output.
    click.echo(said, err=any(path is not None and is_stream(path) for path in (users, relations)))


@click.command()
@store_option
def checksum(store: str) -> None:
    """Print how many rows each table of a store has now, and their checksums, the same in every engine.

    Two stores that hold the same have the same checksums. Others may write meanwhile.
    """

    async def sum_up() -> list[Moved]:
        with Bars() as bars:
            return await sum_up_store(store, bars.rows)

    try:
        say_tables(run_interruptibly(sum_up()))
    except StoreError as error:
        raise click.ClickException(str(error)) from error
