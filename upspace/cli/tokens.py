"""`upspace token`: credentials of accounts. A token is printed once, when it is issued, and kept as a hash."""

import math
import re
import sys
import time

import click
import msgspec

from upspace.cli.common import MID, store_option, with_store
from upspace.server.tokens import ID_DIGITS, issue_token, listed_token
from upspace.wire.admin import DAY_S, TOKEN_DAYS_MAX


@click.group()
def token() -> None:
    """Issue, revoke and list the credentials of accounts."""


@token.command()
@click.argument("mid", type=MID)
@click.option(
    "--days",
    type=click.FloatRange(0, TOKEN_DAYS_MAX, min_open=True),
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
    holds_s = None if days is None else int(days * DAY_S)
    if sys.stdout is None:
        raise click.ClickException("no token is issued: standard output is closed, and it is shown only once")
    now = int(time.time())
    issued = with_store(lambda opened: issue_token(opened, mid, now, holds_s, note), store)
    try:
        click.echo(msgspec.json.format(msgspec.json.encode(issued)).decode())
    except OSError:
        # Nobody has seen it, and it is not shown again.
        try:
            with_store(lambda opened: opened.revoke_tokens(now, digest_prefix=issued.id), store)
        except click.ClickException as error:
            raise click.ClickException(f"token {issued.id} holds, but could not be printed: {error}") from error
        raise


@token.command()
@click.argument("token_id", metavar="[ID]", required=False)
@click.option("--mid", type=MID, help="revoke every token of this account instead")
@store_option
def revoke(token_id: str | None, mid: int | None, store: str) -> None:
    """Revoke the token with this ID (as `token list` prints it), or all tokens of an account."""
    if (token_id is None) == (mid is None):
        raise click.UsageError("give either an ID or --mid")
    if token_id is not None and not re.fullmatch(rf"[0-9a-fA-F]{{{ID_DIGITS},64}}", token_id):
        raise click.UsageError(f"an ID is at least {ID_DIGITS} hexadecimal digits, as `token list` prints it")
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
    for found in with_store(lambda opened: opened.tokens(mid), store):
        click.echo(msgspec.json.encode(listed_token(found)).decode())
