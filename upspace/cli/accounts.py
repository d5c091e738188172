"""`upspace account`: accounts as JSON, in and out, checked against the types of the wire."""

import time
from typing import Any, BinaryIO

import click
import msgspec

from upspace.cli.common import MID, store_option, with_store
from upspace.data.records import profile_of, record_json, record_of
from upspace.model import Profile
from upspace.wire.record import AccountRecord, read_record


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
    record = read_record_text(file.read())

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
    patch = _decode(changes)
    if not isinstance(patch, dict):
        raise click.ClickException("CHANGES must be a JSON object")
    if patch.get("mid", mid) != mid:
        raise click.ClickException("a mid cannot be changed")

    def decide(known: Profile | None) -> Profile:
        if known is None:
            raise click.ClickException(f"there is no account {mid}")
        return profile_of(read_record(_merged(msgspec.to_builtins(record_of(known)), patch)))

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


def read_record_text(text: bytes) -> AccountRecord:
    """A record from JSON text; ClickException says what is wrong."""
    from upspace.wire.errors import BadRequestError

    try:
        return read_record(_decode(text))
    except BadRequestError as error:
        raise click.ClickException(str(error)) from error


def _decode(text: str | bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise click.ClickException(f"not JSON: {error}") from error


def _merged(old: Any, patch: Any) -> Any:
    """RFC 7396: objects are merged, null removes a member, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _print(profile: Profile) -> None:
    shown = record_json(record_of(profile))
    click.echo(msgspec.json.format(msgspec.json.encode(shown)).decode())
