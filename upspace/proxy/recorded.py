"""What is kept of a request and its reply: all that a replay needs, and nothing that signs anybody in."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote, unquote

import msgspec

from upspace.wire.body import parse_body
from upspace.wire.control import CREDENTIALS, UNRECORDED, Pair
from upspace.wire.errors import BadRequestError
from upspace.wire.forms import parse_query

REMOVED = "removed"
"""What stands in place of a credential wherever else it occurs."""

# Shorter values occur by chance, and replacing them would spoil what is recorded.
_SECRET_MIN = 6


class Exchange(NamedTuple):
    """A request and its reply as they passed. Names of headers are in lower case, one may occur several times."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    status: int
    reply_headers: list[tuple[str, str]]
    reply: bytes


def pair_of(passed: Exchange) -> Pair:
    """What is kept of an exchange. Credentials are left out, also where the reply repeats them."""
    parameters = parse_query(passed.query)
    if passed.body:
        parameters |= _body_parameters(passed)
    secrets = _secrets(passed, parameters)
    kept = {
        _without(name, secrets): _without(value, secrets)
        for name, value in parameters.items()
        if name not in UNRECORDED
    }
    pair = Pair(
        method=passed.method,
        path=_without(passed.path, secrets),
        parameters=kept,
        status=passed.status,
        content_type=_header(passed.reply_headers, "content-type"),
        retry_after=_header(passed.reply_headers, "retry-after"),
    )
    try:
        return msgspec.structs.replace(pair, text=_without(passed.reply.decode(), secrets))
    except UnicodeDecodeError:
        reply = passed.reply
        for secret in secrets:
            reply = reply.replace(secret.encode(), REMOVED.encode())
        return msgspec.structs.replace(pair, base64=reply)


class PairFile:
    """A file of pairs, one as JSON in each line; pairs are added at its end. Raises OSError if it cannot be written.

    Nobody else may read it: what people ask is theirs, credentials or not.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.fchmod(self._file, 0o600)
        self.count = 0

    def add(self, pair: Pair) -> None:
        """Write a pair, whole or, if the disk is full, not at all."""
        line = msgspec.json.encode(pair) + b"\n"
        before = os.fstat(self._file).st_size
        if os.write(self._file, line) != len(line):
            os.ftruncate(self._file, before)
            raise OSError("the file could not take all of it")
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._file)


def _body_parameters(passed: Exchange) -> dict[str, str]:
    try:
        return parse_body(_header(passed.headers, "content-type") or None, passed.body)
    except BadRequestError:
        return {}


def _header(headers: Iterable[tuple[str, str]], wanted: str) -> str:
    """The first of that name; empty if there is none."""
    return next((value for name, value in headers if name == wanted), "")


def _secrets(passed: Exchange, parameters: Mapping[str, str]) -> list[str]:
    """Every credential of an exchange, longest first, as they are and as they stand in URLs."""
    found = {parameters[name] for name in CREDENTIALS if name in parameters}
    for name, value in passed.headers:
        if name in ("authorization", "proxy-authorization"):
            found.add(value.rpartition(" ")[2])
        elif name == "cookie":
            found.update(_cookie_values(value.split(";")))
    for name, value in passed.reply_headers:
        if name == "set-cookie":
            found.update(_cookie_values([value.partition(";")[0]]))
    plain = {form for value in found for form in (value, unquote(value))}
    forms = plain | {quote(value, safe="") for value in plain}
    # The cookie DedeUserID is the viewer's mid: a number signs nobody in, and stands in many a reply.
    return sorted((form for form in forms if len(form) >= _SECRET_MIN and not form.isdigit()), key=len, reverse=True)


def _cookie_values(pairs: Iterable[str]) -> Iterable[str]:
    return (pair.partition("=")[2].strip().strip('"') for pair in pairs)


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, REMOVED)
    return text
