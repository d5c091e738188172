"""A request and a reply as the app sees them, whichever door they pass."""

from collections.abc import Callable

from msgspec import Struct

from upspace.wire.envelope import JAVASCRIPT_TYPE, JSON_TYPE


class Request(Struct, frozen=True, gc=False):
    """One request. `header` looks a header up by its name in lower case; `query` is the raw query string."""

    method: str
    path: str
    query: str
    header: Callable[[str], str | None]


class Response(Struct, frozen=True, gc=False):
    """One reply: HTTP status, headers in lower case, the whole body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


JSON_HEADERS = [("content-type", JSON_TYPE)]
JSONP_HEADERS = [("content-type", JAVASCRIPT_TYPE), ("x-content-type-options", "nosniff")]
