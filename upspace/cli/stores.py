"""`upspace migrate`."""

import asyncio

import click

from upspace.cli.common import store_option
from upspace.store import migrate_store
from upspace.store.interface import StoreError


@click.command()
@store_option
def migrate(store: str) -> None:
    """Create a store, or bring it up to date for this version.

    Safe to run at any time and by several processes at once.
    """
    try:
        before, after = asyncio.run(migrate_store(store))
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    if before == after:
        click.echo(f"{store} is up to date (schema version {after})")
    else:
        click.echo(f"{store} is now at schema version {after}" + (f", from {before}" if before else ", new"))
