"""Issuing tokens, and what is shown of them, by the command `upspace token` and by the admin interface alike."""

import secrets
from datetime import UTC, datetime

from upspace.model import Token
from upspace.server.viewer import csrf_of, token_digest
from upspace.store.interface import Store
from upspace.wire.admin import IssuedToken, ListedToken
from upspace.wire.errors import BadRequestError

ID_DIGITS = 12
"""How many hexadecimal digits of its digest name a token."""

_TOKEN_BYTES = 32


async def issue_token(store: Store, mid: int, now: int, holds_s: int | None, note: str) -> IssuedToken:
    """A new token of an account, kept in the store as a hash: nothing shows it again.

    Raises UnknownAccountsError, and BadRequestError for a note that cannot be shown.
    """
    if not note.isprintable():
        raise BadRequestError("note: it must be printable text")
    secret = secrets.token_urlsafe(_TOKEN_BYTES)
    expires = None if holds_s is None else now + holds_s
    token = Token(token_digest(secret), mid, now, expires, None, note)
    await store.put_token(token)
    return IssuedToken(_id(token), mid, secret, csrf_of(secret), _time(expires))


def listed_token(token: Token) -> ListedToken:
    """A token as lists show it."""
    return ListedToken(
        _id(token), token.mid, _shown(token.issued), _time(token.expires), _time(token.revoked), token.note
    )


def _id(token: Token) -> str:
    return token.digest.hex()[:ID_DIGITS]


def _time(unix_s: int | None) -> str | None:
    return None if unix_s is None else _shown(unix_s)


def _shown(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()
