"""Heads of HTTP/1.1 requests: their targets and headers, as the parser hands them out."""

from functools import lru_cache
from urllib.parse import unquote, urlsplit

_NAME_MAX_BYTES = 64


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
