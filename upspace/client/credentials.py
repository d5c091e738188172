"""Who a client is to the server: a token, or what a browser holds. Neither is ever part of a text for people."""

import re
from dataclasses import dataclass, field

# What a header may hold without quoting; a cookie ends at a semicolon besides.
_SENDABLE = re.compile(r"[!-:<-~]+")


@dataclass(frozen=True)
class Session:
    """The cookies of a browser that is logged in: `sessdata` says who, `bili_jct` is the CSRF value of writes."""

    sessdata: str = field(repr=False)
    bili_jct: str = field(repr=False)


def headers_of(token: str | None, session: Session | None) -> dict[str, str]:
    """The headers that say who asks; none for an anonymous viewer. Contract: 3.

    Raises ValueError for a token and a session together, and for characters that cannot be sent.
    """
    if token is not None and session is not None:
        raise ValueError("give a token or a session, not both")
    if token is not None:
        return {"authorization": f"Bearer {_sendable('token', token)}"}
    if session is not None:
        return {"cookie": f"SESSDATA={_sendable('sessdata', session.sessdata)}"}
    return {}


def _sendable(name: str, secret: str) -> str:
    # httpx would refuse it as well, and show it.
    if not _SENDABLE.fullmatch(secret):
        raise ValueError(f"{name} is empty or holds characters other than visible ASCII, or a semicolon")
    return secret
