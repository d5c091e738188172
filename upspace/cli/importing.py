"""`upspace import`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from upspace.cli.bars import Bars
from upspace.cli.common import format_option, run_interruptibly, store_option
from upspace.data.formats import Format, FormatError
from upspace.server.settings import ENVIRONMENT_PREFIX
from upspace.store.interface import StoreError
from upspace.store.urls import without_password

if TYPE_CHECKING:
    from upspace.data.importing.run import Files, Imported, Options

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("import")
@store_option
@click.option("--users", type=_FILE, multiple=True, metavar="FILE", help="a file of accounts; may be given repeatedly")
@click.option("--relations", type=_FILE, multiple=True, metavar="FILE", help="a file of relations; likewise")
@format_option(
    "what the files are, if their names do not say it by .csv, .tsv, .jsonl, .ndjson, .parquet, .txt or .edges "
    "(and .gz or .zst, which is found out by itself)"
)
@click.option(
    "--map",
    "names",
    multiple=True,
    metavar="THEIRS=OURS",
    help="the name of a column in the files, and what it is here: --map fans=follower, --map users.id=mid; "
    "--map tags= leaves one out",
)
@click.option("--create-accounts", is_flag=True, help="make the accounts that relations name and that nobody knows")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    default="import-rejects.csv",
    show_default=True,
    help="where rows that cannot be taken are written, with file, line and reason; not made if there are none",
)
@click.option("--strict", is_flag=True, help="end at the first such row")
@click.option("--memory-mb", type=int, default=1_000, show_default=True, help="what the import may use, 500 at least")
@click.option(
    "--temporary-folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True, writable=True),
    envvar=ENVIRONMENT_PREFIX + "TEMPORARY_FOLDER",
    help="where rows are sorted, which takes about as much room as the store  [default: the folder of a store in a "
    "file, otherwise the system's]",
)
def import_(
    store: str,
    users: Sequence[Path],
    relations: Sequence[Path],
    file_format: Format | None,
    names: Sequence[str],
    create_accounts: bool,
    rejects: Path,
    strict: bool,
    memory_mb: int,
    temporary_folder: Path | None,
) -> None:
    """Take in accounts and relations from CSV, JSON Lines or Parquet files, packed by gzip or zstd or not.

    Relations may also be an edge list: two numbers a line, who follows and who is followed, and maybe the time as a
    third; lines that begin with # are comments. The accounts that it names are made.

    An empty store is filled in one transaction, so that an import that was interrupted has left nothing. A store in
    use is written to in small groups, while others use it. Either way an interrupted import is simply run again.

    docs/data.md lists the columns. What a file does not have is left as it is, or as the default.
    """
    from upspace.data.importing.mapping import Names
    from upspace.data.importing.run import Files, Options, StrictError
    from upspace.data.importing.staging import StagingError

    if not users and not relations:
        raise click.UsageError("what is to be imported? Say it with --users FILE or --relations FILE")
    try:
        files = Files(users, relations, file_format, Names(names))
        options = Options(rejects, memory_mb, strict, create_accounts, temporary_folder or _beside(store))
        done = run_interruptibly(_import(store, files, options))
    except (FormatError, StrictError, StagingError, StoreError) as error:
        raise click.ClickException(str(error)) from error
    created = f" {done.created:,} accounts that relations name were made." if done.created else ""
    # Whoever has mistyped the name of a store learns of it here.
    where = f"the new store {without_password(store)}" if done.is_new else without_password(store)
    click.echo(
        f"{done.users:,} users and {done.relations:,} relations are in {where} now, of {done.rows:,} rows.{created}"
    )
    if done.rejected:
        click.echo(f"{done.rejected:,} rows were rejected: {rejects} says why", err=True)


def _beside(store: str) -> Path | None:
    """The folder of a store in a file: where there is room for the store, there is for sorting it."""
    _, is_file, path = store.partition("sqlite:///")
    return Path(path).absolute().parent if is_file else None


async def _import(store: str, files: "Files", options: "Options") -> "Imported":
    from upspace.data.importing.run import import_files

    with Bars() as bars:
        return await import_files(store, files, options, bars)
