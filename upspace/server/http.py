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


class Manner(Struct, frozen=True, gc=False):
    """How a reply goes out that does not go out at once and whole: a fault.

    With `drip_bytes` the body comes in pieces of that size, `drip_pause_s` apart. With `cut_at` the connection is
    closed after so many bytes of the body, although all of it was promised. With `reset` it is closed instead of a
    reply.
    """

    drip_bytes: int | None = None
    drip_pause_s: float = 0.0
    cut_at: int | None = None
    reset: bool = False

    def pieces(self, body: bytes) -> list[bytes]:
        """What is sent of a body, piece by piece."""
        sent = body[: self.cut_at]
        size = self.drip_bytes or len(sent) or 1
        return [sent[start : start + size] for start in range(0, len(sent), size)]


class Response(Struct, frozen=True, gc=False):
    """One reply: HTTP status, headers in lower case, the whole body, and how it goes out, None for at once."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    manner: Manner | None = None


BODY_MAX_BYTES = 1 << 20
"""A larger body is not kept."""

FORM_MAX_BYTES = 1 << 16
"""No write of the contract needs a tenth of it, and its parameters are read before anybody is known to ask."""

JSON_HEADERS = [("content-type", JSON_TYPE)]
JSONP_HEADERS = [("content-type", JAVASCRIPT_TYPE), ("x-content-type-options", "nosniff")]
