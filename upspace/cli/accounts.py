"""`upspace account`: accounts as JSON, in and out, checked against the types of the wire."""

import time
from typing import BinaryIO

import click
import msgspec

from upspace.cli.common import MID, store_option, with_store
from upspace.model import Profile
from upspace.records import changed_profile, profile_of, record_json, record_of
from upspace.wire.errors import BadRequestError
from upspace.wire.record import AccountRecord, decode_json, read_record


@click.group()
def account() -> None:
    """Add, show, change and delete accounts."""


@account.command()
@click.argument("file", type=click.File("rb"))
@store_option
def add(file: BinaryIO, store: str) -> None:
    """Add an account from a JSON FILE (- for standard input).

    Only mid and name are required. `account show` prints every field of an account that is not at its default.
    """
    record = _read_record_text(file.read())

    def decide(known: Profile | None) -> Profile:
        if known is not None:
            raise click.ClickException(f"account {record.mid} exists already: change it with account set")
        return profile_of(record)

    _print(with_store(lambda opened: opened.change_account(record.mid, decide), store))


@account.command()
@click.argument("mid", type=MID)
@store_option
def show(mid: int, store: str) -> None:
    """Print an account as JSON."""
    profile = with_store(lambda opened: opened.profile(mid), store)
    if profile is None:
        raise click.ClickException(f"there is no account {mid}")
    _print(profile)


@account.command(name="set")
@click.argument("mid", type=MID)
@click.argument("changes")
@store_option
def set_account(mid: int, changes: str, store: str) -> None:
    """Change fields of an account: CHANGES is a JSON object such as '{"sign": "hello", "level": 6}'.

    Objects are merged, null brings a field back to its default.
    """

    def decide(known: Profile | None) -> Profile:
        if known is None:
            raise click.ClickException(f"there is no account {mid}")
        return changed_profile(known, decode_json(changes))

    _print(with_store(lambda opened: opened.change_account(mid, decide), store))


@account.command()
@click.argument("mid", type=MID)
@click.confirmation_option(prompt="Deleting an account is final. Delete it?")
@store_option
def delete(mid: int, store: str) -> None:
    """Delete an account for good, with its relations, groups and tokens."""
    if not with_store(lambda opened: opened.delete_account(mid, int(time.time())), store):
        raise click.ClickException(f"there is no account {mid}")
    click.echo(f"deleted: {mid}")


def _read_record_text(text: bytes) -> AccountRecord:
    try:
        return read_record(decode_json(text))
    except BadRequestError as error:
        raise click.ClickException(str(error)) from error


def _print(profile: Profile) -> None:
    shown = record_json(record_of(profile))
    click.echo(msgspec.json.format(msgspec.json.encode(shown)).decode())
