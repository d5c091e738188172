"""The credentials of a request (contract, section 3). A token is known by its SHA-256 alone."""

from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple

from upspace.server.http import Request
from upspace.wire.errors import CsrfError


def token_digest(token: str) -> bytes:
    """What the store knows a token by. Tokens are 256 random bits, so no salt is needed."""
    return sha256(token.encode()).digest()


def csrf_of(token: str) -> str:
    """The CSRF value that belongs to a token: what a browser client holds in the cookie `bili_jct`.

    It follows from the token, so there is nothing to keep; knowing it does not help to find the token.
    """
    return sha256(b"csrf:" + token.encode()).hexdigest()[:32]


class Credential(NamedTuple):
    """A token that came along. A browser sends cookies by itself, so `by_cookie` asks for a CSRF value on writes."""

    token: str
    by_cookie: bool


def bearer_token(request: Request) -> str | None:
    """The token in the header Authorization."""
    authorization = request.header("authorization")
    if authorization:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return token.strip() or None
    return None


def presented(request: Request, parameters: Mapping[str, str]) -> Credential | None:
    """The first of: Authorization, parameter `access_key`, cookie SESSDATA."""
    if token := bearer_token(request):
        return Credential(token, by_cookie=False)
    if token := parameters.get("access_key"):
        return Credential(token, by_cookie=False)
    cookies = request.header("cookie")
    if cookies and "SESSDATA" in cookies:
        session = _session_cookie(cookies)
        return None if session is None else Credential(session, by_cookie=True)
    return None


def check_csrf(credential: Credential, parameters: Mapping[str, str]) -> None:
    """Raise CsrfError unless the CSRF value of the token came along with a cookie; other credentials need none."""
    if not credential.by_cookie:
        return
    given = parameters.get("csrf") or parameters.get("csrf_token") or ""
    if not compare_digest(given.encode(), csrf_of(credential.token).encode()):
        raise CsrfError


def _session_cookie(header: str) -> str | None:
    """The value of SESSDATA. Cookies beside it may be malformed, which the standard library's parser gives up at."""
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == "SESSDATA":
            return value.strip('"') or None
    return None
