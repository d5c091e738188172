"""`upspace token`: credentials of accounts. A token is printed once, when it is issued, and kept as a hash."""

import math
import re
import secrets
import time
from datetime import UTC, datetime

import click
import msgspec

from upspace.cli.common import MID, store_option, with_store
from upspace.model import Token
from upspace.server.viewer import csrf_of, token_digest

_TOKEN_BYTES = 32
_ID_DIGITS = 12
_DAY_S = 86_400


@click.group()
def token() -> None:
    """Issue, revoke and list the credentials of accounts."""


@token.command()
@click.argument("mid", type=MID)
@click.option(
    "--days",
    type=click.FloatRange(0, 36_500, min_open=True),
    help="how many days it holds, fractions allowed  [default: for ever]",
)
@click.option("--note", default="", help="what it is for, shown by `token list`")
@store_option
def issue(mid: int, days: float | None, note: str, store: str) -> None:
    """Issue a token for the account MID, and print it as JSON.

    Clients send it as `Authorization: Bearer TOKEN`, as parameter access_key=TOKEN, or as cookie SESSDATA=TOKEN
    with the csrf value in cookie bili_jct.
    """
    if days is not None and math.isnan(days):
        raise click.UsageError("--days must be a number")
    if not note.isprintable():
        raise click.UsageError("the note must be printable text")
    secret = secrets.token_urlsafe(_TOKEN_BYTES)
    now = int(time.time())
    expires = None if days is None else now + int(days * _DAY_S)
    record = Token(token_digest(secret), mid, now, expires, None, note)
    with_store(lambda opened: opened.put_token(record), store)
    shown = {"id": _id(record), "mid": mid, "token": secret, "csrf": csrf_of(secret), "expires": _time(expires)}
    click.echo(msgspec.json.format(msgspec.json.encode(shown)).decode())


@token.command()
@click.argument("token_id", metavar="[ID]", required=False)
@click.option("--mid", type=MID, help="revoke every token of this account instead")
@store_option
def revoke(token_id: str | None, mid: int | None, store: str) -> None:
    """Revoke the token with this ID (as `token list` prints it), or all tokens of an account."""
    if (token_id is None) == (mid is None):
        raise click.UsageError("give either an ID or --mid")
    if token_id is not None and not re.fullmatch(rf"[0-9a-fA-F]{{{_ID_DIGITS},64}}", token_id):
        raise click.UsageError(f"an ID is at least {_ID_DIGITS} hexadecimal digits, as `token list` prints it")
    now = int(time.time())
    count = with_store(lambda opened: opened.revoke_tokens(now, mid=mid, digest_prefix=token_id or ""), store)
    if token_id is not None and count == 0:
        raise click.ClickException(f"no token {token_id} that still holds")
    click.echo(f"revoked: {count}")


@token.command(name="list")
@click.option("--mid", type=MID, help="only those of this account")
@store_option
def list_tokens(mid: int | None, store: str) -> None:
    """List tokens: one JSON object a line, without the tokens themselves."""
    for record in with_store(lambda opened: opened.tokens(mid), store):
        line = {
            "id": _id(record),
            "mid": record.mid,
            "issued": _time(record.issued),
            "expires": _time(record.expires),
            "revoked": _time(record.revoked),
            "note": record.note,
        }
        click.echo(msgspec.json.encode(line).decode())


def _id(record: Token) -> str:
    return record.digest.hex()[:_ID_DIGITS]


def _time(unix_s: int | None) -> str | None:
    return None if unix_s is None else datetime.fromtimestamp(unix_s, UTC).isoformat()
