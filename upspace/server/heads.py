"""Heads of HTTP/1.1 requests: their targets and headers, as the parser hands them out."""

import re
from functools import lru_cache
from urllib.parse import unquote, urlsplit

_NAME_MAX_BYTES = 64
_REPEATED_MAX_BYTES = 1 << 13

_plain_target = re.compile(rb"/[!-~]*").fullmatch
# What comes behind a head with one of these, or what becomes of the connection, is not decided by the head alone.
_NEVER_REPEATED = ("content-length", "transfer-encoding", "expect", "upgrade")


class Headers(dict[str, str]):
    """The headers of one request: the first line of each, by its name in lower case."""

    _more: list[tuple[str, str]] | None = None

    def add(self, name: bytes, value: bytes) -> None:
        """Take note of a line."""
        key = _lower(name) if len(name) <= _NAME_MAX_BYTES else name.decode("latin-1").lower()
        if key not in self:
            self[key] = value.decode("latin-1")
        elif self._more is None:
            self._more = [(key, value.decode("latin-1"))]
        else:
            self._more.append((key, value.decode("latin-1")))

    def lines(self, name: str) -> list[str]:
        """Every line of a header, in their order."""
        return [value for other, value in self.all_lines() if other == name]

    def all_lines(self) -> list[tuple[str, str]]:
        """Every line with its name; those of one name are in their order."""
        return [*self.items(), *(self._more or ())]


class RepeatedHead:
    """What one client sends behind the target of its requests: the same each time, as a rule, and read once.

    What the parser makes of a request without a body depends on nothing but its bytes, if it is between two requests
    when they come. So one that has the same bytes behind its target as one before has the same headers, ends where
    that ended, and leaves the connection as that did.
    """

    headers: Headers

    def __init__(self) -> None:
        self._behind_target = b""

    def learn(self, data: bytes, target: bytes, headers: Headers) -> None:
        """Between two requests the parser has read `data`, which is one and all of it, and the connection goes on."""
        self._behind_target = b""
        if (
            len(data) <= _REPEATED_MAX_BYTES
            and data.startswith(b"GET %b HTTP/1.1\r\n" % target)
            and data.endswith(b"\r\n\r\n")
            and not any(name in headers for name in _NEVER_REPEATED)
        ):
            self._behind_target, self.headers = data[len(b"GET ") + len(target) :], headers

    def target(self, data: bytes) -> str | None:
        """The target of `data`, if that is one request that has `headers`; None leaves it to the parser."""
        behind = self._behind_target
        if behind and data.startswith(b"GET ") and data.endswith(behind):
            found = _plain_target(data, len(b"GET "), len(data) - len(behind))
            if found is not None:
                return found[0].decode("ascii")
        return None


def split_target(target: str) -> tuple[str, str]:
    """The path of a request's target, unescaped, and its query as it is. Raises ValueError if it is no URL."""
    if target[:1] == "/":
        path, _, query = target.partition("?")
    else:
        # What a client sends to a proxy.
        parts = urlsplit(target)
        path, query = parts.path or "/", parts.query
    return unquote(path) if "%" in path else path, query


def without_upgrade(method: str, target: str, version: str, headers: Headers) -> bytes:
    """The head of a request as it would have come without its wish for another protocol."""
    lines = [f"{method} {target} HTTP/{version}"]
    for name, value in headers.all_lines():
        if name == "connection":
            kept = ",".join([option for option in value.split(",") if option.strip().lower() != "upgrade"])
            lines.append(f"connection:{kept}")
        elif name != "upgrade":
            lines.append(f"{name}:{value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@lru_cache(maxsize=256)
def _lower(name: bytes) -> str:
    """The names of headers are few, if nobody plays with them."""
    return name.decode("latin-1").lower()
