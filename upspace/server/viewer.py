"""The credentials of a request (contract, section 3). A token is known by its SHA-256 alone."""

from collections.abc import Mapping
from hashlib import sha256

from upspace.server.http import Request


def token_digest(token: str) -> bytes:
    """What the store knows a token by. Tokens are 256 random bits, so no salt is needed."""
    return sha256(token.encode()).digest()


def csrf_of(token: str) -> str:
    """The CSRF value that belongs to a token: what a browser client holds in the cookie `bili_jct`.

    It follows from the token, so there is nothing to keep; knowing it does not help to find the token.
    """
    return sha256(b"csrf:" + token.encode()).hexdigest()[:32]


def presented_token(request: Request, query: Mapping[str, str]) -> str | None:
    """The token that came along, the first of: Authorization, `access_key`, cookie SESSDATA."""
    authorization = request.header("authorization")
    if authorization:
        scheme, _, bearer = authorization.partition(" ")
        if scheme.lower() == "bearer" and bearer.strip():
            return bearer.strip()
    if token := query.get("access_key"):
        return token
    cookies = request.header("cookie")
    if cookies and "SESSDATA" in cookies:
        return _session_cookie(cookies)
    return None


def _session_cookie(header: str) -> str | None:
    """The value of SESSDATA. Cookies beside it may be malformed, which the standard library's parser gives up at."""
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == "SESSDATA":
            return value.strip('"') or None
    return None
