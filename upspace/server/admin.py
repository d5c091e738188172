"""The admin interface: accounts and their tokens, for whoever carries the admin token (docs/admin.md)."""

import re
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Any

from upspace.model import AccountState, Profile
from upspace.records import changed_profile, profile_of, record_json, record_of
from upspace.server.http import BODY_MAX_BYTES, Request
from upspace.server.service import Service
from upspace.server.tokens import issue_token, listed_token
from upspace.server.viewer import bearer_token, token_digest
from upspace.store.interface import AccountDeletedError, UnknownAccountsError
from upspace.wire import envelope
from upspace.wire.admin import IssuedToken, ListedToken, Reason, Revoked, read_token_request
from upspace.wire.errors import (
    BadRequestError,
    ForbiddenError,
    MethodNotAllowedError,
    NotFoundError,
    TargetDeletedError,
)
from upspace.wire.forms import read_mid
from upspace.wire.record import decode_json, read_record

ADMIN_PREFIX = "/-/admin/"

_PATH = re.compile(re.escape(ADMIN_PREFIX) + r"accounts/([^/]+)(/tokens)?")

Handler = Callable[[Service, int, bytes], Awaitable[Any]]


class Admin:
    """Answers requests under ADMIN_PREFIX that carry `token`; the token itself is not kept."""

    def __init__(self, service: Service, token: str) -> None:
        self._service = service
        self._digest = token_digest(token)

    async def answer(self, request: Request) -> bytes:
        """The envelope of a success; every refusal is raised. Without the token nothing is told, not even a path."""
        given = bearer_token(request)
        # Digests are compared, so that the time taken tells neither how long the token is nor how much of it is right.
        if given is None or not compare_digest(token_digest(given), self._digest):
            raise ForbiddenError("the admin token is missing or wrong", status=403)
        found = _PATH.fullmatch(request.path)
        if found is None:
            raise NotFoundError(status=404)
        mid, tokens = found.groups()
        handlers = _OF_TOKENS if tokens else ACCOUNT_HANDLERS
        handler = handlers.get(request.method)
        if handler is None:
            raise MethodNotAllowedError(handlers)
        try:
            if request.body is None:
                raise BadRequestError(f"the body is larger than {BODY_MAX_BYTES} bytes")
            data = await handler(self._service, read_mid(mid), request.body)
        except BadRequestError as error:
            raise BadRequestError(str(error), data=Reason(str(error))) from None
        except AccountDeletedError:
            raise TargetDeletedError from None
        return envelope.answer(0, envelope.SUCCESS_MESSAGE, data)


async def _show(service: Service, mid: int, body: bytes) -> dict[str, Any]:
    profile = await service.store.profile(mid)
    if profile is None:
        raise NotFoundError
    return _record(profile)


async def _put(service: Service, mid: int, body: bytes) -> dict[str, Any]:
    given = decode_json(body)
    if not isinstance(given, dict):
        raise BadRequestError("the body must be a JSON object")
    record = read_record({"mid": mid, **given})
    if record.mid != mid:
        raise BadRequestError(f"mid: the path says {mid}, the body {record.mid}")
    return _record(await service.store.change_account(mid, lambda _: profile_of(record)))


async def _change(service: Service, mid: int, body: bytes) -> dict[str, Any]:
    changes = decode_json(body)

    def decide(known: Profile | None) -> Profile:
        if known is None:
            raise NotFoundError
        return changed_profile(known, changes)

    try:
        return _record(await service.store.change_account(mid, decide))
    except NotFoundError:
        raise await _absence(service, mid) from None


async def _delete(service: Service, mid: int, body: bytes) -> None:
    if not await service.store.delete_account(mid, int(service.clock())):
        raise NotFoundError


async def _issue_token(service: Service, mid: int, body: bytes) -> IssuedToken:
    asked = read_token_request(decode_json(body) if body else {})
    try:
        return await issue_token(service.store, mid, int(service.clock()), asked.expires_s, asked.note)
    except UnknownAccountsError:
        raise await _absence(service, mid) from None


async def _list_tokens(service: Service, mid: int, body: bytes) -> list[ListedToken]:
    await _check_there(service, mid)
    return [listed_token(token) for token in await service.store.tokens(mid)]


async def _revoke_tokens(service: Service, mid: int, body: bytes) -> Revoked:
    await _check_there(service, mid)
    return Revoked(await service.store.revoke_tokens(int(service.clock()), mid=mid))


def _record(profile: Profile) -> dict[str, Any]:
    return record_json(record_of(profile))


async def _check_there(service: Service, mid: int) -> None:
    standing = await service.store.standing(mid)
    if standing is None or standing.state is AccountState.DELETED:
        raise NotFoundError


async def _absence(service: Service, mid: int) -> NotFoundError | TargetDeletedError:
    """What a write on an account that is not there is told: whether it ever was."""
    standing = await service.store.standing(mid)
    deleted = standing is not None and standing.state is AccountState.DELETED
    return TargetDeletedError() if deleted else NotFoundError()


ACCOUNT_HANDLERS: dict[str, Handler] = {
    "GET": _show,
    "HEAD": _show,
    "PUT": _put,
    "PATCH": _change,
    "DELETE": _delete,
}
"""By method, what is done to one account."""

_OF_TOKENS: dict[str, Handler] = {
    "GET": _list_tokens,
    "HEAD": _list_tokens,
    "POST": _issue_token,
    "DELETE": _revoke_tokens,
}
