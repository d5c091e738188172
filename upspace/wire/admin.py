"""What the admin interface reads and answers besides records of accounts (docs/admin.md)."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from upspace.wire.errors import BadRequestError

TOKEN_DAYS_MAX = 36_500
DAY_S = 86_400


class TokenRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a token shall be: what it is for, and for how many seconds it holds, None for ever."""

    note: str = ""
    expires_s: Annotated[int, Meta(ge=1, le=TOKEN_DAYS_MAX * DAY_S)] | None = None


class IssuedToken(Struct, frozen=True):
    """A token as it is shown once. Times are texts in ISO 8601, UTC; `id` is how a list names it."""

    id: str
    mid: int
    token: str
    csrf: str
    expires: str | None


class ListedToken(Struct, frozen=True):
    """A token in a list, without the token itself."""

    id: str
    mid: int
    issued: str
    expires: str | None
    revoked: str | None
    note: str


class Revoked(Struct, frozen=True):
    """How many tokens held until now."""

    revoked: int


class Reason(Struct, frozen=True):
    """Why a request is refused, and which field is to blame."""

    reason: str


def read_token_request(value: Any) -> TokenRequest:
    """A request from decoded JSON. Raises BadRequestError that says which field is wrong and why."""
    try:
        return msgspec.convert(value, TokenRequest)
    except msgspec.ValidationError as error:
        raise BadRequestError(str(error)) from None
