"""Replies as bytes of HTTP/1.1, and those that the door makes itself."""

import logging
import time
from email.utils import formatdate
from http import HTTPStatus

from upspace.server.http import JSON_HEADERS, Request, Response
from upspace.wire.envelope import failure
from upspace.wire.errors import BadRequestError, ContractError, ServerFaultError

log = logging.getLogger("upspace")

_CLOSE = b"connection: close\r\n"


class Replies:
    """Makes bytes of replies. The date is written once a second, with all else that most heads have in common."""

    def __init__(self) -> None:
        self._renewed_until = 0.0
        self._date = b""
        # The head of a reply in JSON with status 200 on a connection that goes on, but for the length.
        self._usual = b""

    def reply(self, method: str, response: Response, *, ends: bool) -> bytes:
        """Head and body. `ends` says that the connection will; a reply to HEAD has no body."""
        if response.headers is JSON_HEADERS and response.status == 200 and not ends and method != "HEAD":
            if time.monotonic() >= self._renewed_until:
                self._renew()
            return b"%b%d\r\n\r\n%b" % (self._usual, len(response.body), response.body)
        head, body = self.parts(method, response, ends=ends)
        return head + body

    def parts(self, method: str, response: Response, *, ends: bool) -> tuple[bytes, bytes]:
        """Head and body apart."""
        if time.monotonic() >= self._renewed_until:
            self._renew()
        lines = b"".join([f"{name}: {value}\r\n".encode("latin-1") for name, value in response.headers])
        head = b"%b%b%b%bcontent-length: %d\r\n\r\n" % (
            _status_line(response.status),
            lines,
            self._date,
            _CLOSE if ends else b"",
            len(response.body),
        )
        return head, b"" if method == "HEAD" else response.body

    def _renew(self) -> None:
        now = time.time()
        # Till the next second, by a clock that is never set back.
        self._renewed_until = time.monotonic() + 1.0 - now % 1.0
        self._date = f"date: {formatdate(now, usegmt=True)}\r\n".encode("ascii")
        content_type = "".join([f"{name}: {value}\r\n" for name, value in JSON_HEADERS]).encode("ascii")
        self._usual = b"%b%b%bcontent-length: " % (_status_line(200), content_type, self._date)


def ill_formed(status: int, error: type[ContractError] = BadRequestError) -> Response:
    """The reply to what is no HTTP request, or not one that this server reads on."""
    return Response(status, JSON_HEADERS, failure(error))


def failed(request: Request, error: BaseException) -> Response:
    """The reply where the app failed to give any, which is a fault of its own."""
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return Response(500, JSON_HEADERS, failure(ServerFaultError))


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        # A status that a fault asks for may have no name.
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")
