"""`upspace migrate`."""

import asyncio

import click

from upspace.cli.common import store_option
from upspace.store import distribute_store, migrate_store
from upspace.store.interface import StoreError
from upspace.store.urls import without_password


@click.command()
@click.option("--distribute", is_flag=True, help="spread the tables over the nodes of a Citus cluster")
@store_option
def migrate(distribute: bool, store: str) -> None:
    """Create a store, or bring it up to date for this version.

    Safe to run at any time, by several processes at once, and while others use the store. A PostgreSQL database must
    be there already (createdb makes one).

    With --distribute, the tables of a database on a Citus cluster are then spread over its nodes by account. What is
    spread already stays as it is. Servers that run must be restarted afterwards.
    """
    shown = without_password(store)
    try:
        before, after = asyncio.run(migrate_store(store))
        if before == after:
            click.echo(f"{shown} is up to date (schema version {after})")
        else:
            click.echo(f"{shown} is now at schema version {after}" + (f", from {before}" if before else ", new"))
        if distribute:
            spread = asyncio.run(distribute_store(store))
            click.echo("spread over the nodes: " + (", ".join(spread) or "nothing more, all tables are"))
    except StoreError as error:
        raise click.ClickException(str(error)) from error
