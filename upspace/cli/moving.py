"""`upspace move`."""

import asyncio
from collections.abc import Sequence

import click

from upspace.cli.bars import Bars
from upspace.server.settings import ENVIRONMENT_PREFIX
from upspace.store import move_store
from upspace.store.interface import StoreError
from upspace.store.moving import Moved
from upspace.store.urls import without_password


@click.command()
@click.option(
    "--from",
    "source",
    envvar=ENVIRONMENT_PREFIX + "FROM",
    required=True,
    metavar="URL",
    help="the store to read, which stays as it is: sqlite:///path or postgresql://user@host/database",
)
@click.option(
    "--to",
    "target",
    envvar=ENVIRONMENT_PREFIX + "TO",
    required=True,
    metavar="URL",
    help="the store to write, which has to be empty; a file is created, a PostgreSQL database must be there (createdb)",
)
def move(source: str, target: str) -> None:
    """Carry a whole community into another store, from any engine to any.

    What was there at the moment of the start is carried, while others read and write the store that it comes from;
    what they write later stays behind, so stop the server first. All of it arrives, or nothing does: after an
    interruption the other store is empty, and the move can be started again.

    In the end everything is read back and compared. For each table it prints how many rows have arrived, and a
    checksum of them that is the same in every engine.
    """
    try:
        moved = asyncio.run(_move(source, target))
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    say_tables(moved)
    click.echo(f"moved from {without_password(source)} to {without_password(target)}")


def say_tables(tables: Sequence[Moved]) -> None:
    """Print how many rows each table has, and the checksum."""
    names = max(len(found.table) for found in tables)
    rows = max(len(f"{found.rows:,}") for found in tables)
    for found in tables:
        click.echo(f"{found.table:{names}}  {found.rows:{rows},} rows  checksum {found.checksum}")


async def _move(source: str, target: str) -> list[Moved]:
    with Bars() as bars:
        return await move_store(source, target, bars.rows)
