"""A request and a reply as the app sees them, whichever door they pass."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from upspace.wire.envelope import JAVASCRIPT_TYPE, JSON_TYPE


class Request(Struct, frozen=True, gc=False):
    """One request. `header` looks a header up by its name in lower case; `query` is the raw query string.

    `header_lines` gives every line of a header. `body` is None if it was larger than `BODY_MAX_BYTES`, or if the client
    left before its end. `peer` is who is connected, as the door's server writes it, with or without a port.
    """

    method: str
    path: str
    query: str
    header: Callable[[str], str | None]
    header_lines: Callable[[str], Sequence[str]] = lambda _: ()
    body: bytes | None = b""
    peer: str = ""


class Response(Struct, frozen=True, gc=False):
    """One reply: HTTP status, headers in lower case, the whole body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


BODY_MAX_BYTES = 1 << 20
"""The rest of a larger body is not read."""

FORM_MAX_BYTES = 1 << 16
"""No write of the contract needs a tenth of it, and its parameters are read before anybody is known to ask."""

JSON_HEADERS = [("content-type", JSON_TYPE)]
JSONP_HEADERS = [("content-type", JAVASCRIPT_TYPE), ("x-content-type-options", "nosniff")]
