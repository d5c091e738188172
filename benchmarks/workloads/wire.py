"""Requests as bytes, and what is read of replies: their status, their code, and where they end."""

from typing import Any, NamedTuple

import msgspec
from load import LoadError

_HOST = b"Host: upspace\r\n"
_LENGTH = b"content-length: "
_END = b"\r\n\r\n"
_CODE = b'{"code":'
# The code has been received when so much of the body has.
_CODE_WITHIN = 24


def get(path: bytes, header: bytes = b"") -> bytes:
    """A GET; `header` are whole lines, or nothing."""
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, _HOST, header)


def post(path: bytes, header: bytes, form: bytes) -> bytes:
    """A POST of a form that is encoded already."""
    lines = header + b"Content-Type: application/x-www-form-urlencoded\r\n"
    return _with_body(b"POST", path, lines, form)


def admin(method: bytes, mid: int, header: bytes, value: Any = None) -> bytes:
    """A request of the admin interface about an account, with a JSON value as its body or none."""
    body = b"" if value is None else msgspec.json.encode(value)
    return _with_body(method, b"/-/admin/accounts/%d" % mid, header, body)


def _with_body(method: bytes, path: bytes, header: bytes, body: bytes) -> bytes:
    head = b"%b %b HTTP/1.1\r\n%b%b" % (method, path, _HOST, header)
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


class Reply(NamedTuple):
    """A reply: its HTTP status, and the code of its envelope, which is None where there is none."""

    status: int
    code: int | None


class ReplyReader:
    """The replies of one connection, of which one at a time is on its way."""

    def __init__(self) -> None:
        self._begun = b""
        self._left = 0
        self._reply: Reply | None = None

    def take(self, data: bytes) -> Reply | None:
        """The reply that ends with these bytes; None while it is not whole.

        Raises LoadError if it has no length, or is followed by more than was asked for.
        """
        if self._reply is not None:
            self._left -= len(data)
        else:
            if self._begun:
                data = self._begun + data
            head = data.find(_END)
            if head < 0:
                self._begun = data
                return None
            at = data.find(_LENGTH, 0, head)
            if at < 0:
                raise LoadError(f"a reply without its length: {data[:head]!r}")
            at += len(_LENGTH)
            # Behind the length comes the end of its line.
            length = int(data[at : data.index(b"\r", at)])
            body = head + len(_END)
            received = len(data) - body
            if received < length and received < _CODE_WITHIN:
                self._begun = data
                return None
            self._begun = b""
            self._left = length - received
            self._reply = Reply(int(data[9:12]), _code_of(data, body))
        if self._left > 0:
            return None
        if self._left < 0:
            raise LoadError(f"{-self._left} bytes more than a reply")
        reply, self._reply = self._reply, None
        return reply


def _code_of(data: bytes, body: int) -> int | None:
    if not data.startswith(_CODE, body):
        return None
    at = body + len(_CODE)
    # Something follows in every envelope: the message.
    return int(data[at : data.index(b",", at)])
