"""Where a request wants to go, and which host names the proxy stands in for."""

import ipaddress
import re
from typing import NamedTuple, Self
from urllib.parse import urlsplit

DEFAULT_HOSTS = "bilibili.com,*.bilibili.com"

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with, not bound to

_AUTHORITY = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[^][:@/?#\s]+))(?::(?P<port>\d{1,5}))?")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_PATTERN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


class TargetError(ValueError):
    """A URL, an authority or a pattern that cannot be, in one sentence."""


class Address(NamedTuple):
    """A host, by name or number and in lower case, and a port."""

    host: str
    port: int

    def reached_at(self) -> "Address":
        """Where to go to reach who listens here: on this machine, if it is everywhere."""
        return Address(_ANY_ADDRESS.get(self.host, self.host), self.port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Hosts(NamedTuple):
    """The host names that are stood in for: `name` is one of them, `*.name` is every name below it, however deep."""

    patterns: tuple[str, ...]

    @classmethod
    def parse(cls, listed: str) -> Self:
        """Patterns from a list with commas. Raises TargetError for what is no pattern, and for an empty list."""
        patterns = tuple(each.strip().lower() for each in listed.split(",") if each.strip())
        if not patterns:
            raise TargetError("hosts: at least one host name is needed")
        for pattern in patterns:
            if not _PATTERN.fullmatch(pattern) and not _is_number(pattern):
                raise TargetError(f"hosts: {pattern!r} is no host name, and not *. with one behind it")
        return cls(patterns)

    def cover(self, host: str) -> bool:
        """Whether a host, in lower case, is stood in for."""
        return any(host == of or (of.startswith("*.") and host.endswith(of[1:])) for of in self.patterns)


def parse_authority(text: str, default_port: int | None = None) -> Address:
    """`host:port`, as in CONNECT and behind `http://`; the port may be left out if there is a default.

    Raises TargetError for anything else.
    """
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise TargetError(f"{text!r} is not host:port")
    port = int(found["port"]) if found["port"] else default_port
    if port is None:
        raise TargetError(f"{text!r} has no port")
    if not 0 < port < 65536:
        raise TargetError(f"{port} is no port")
    if found["literal"] and not _is_number(found["literal"]):
        raise TargetError(f"{found['literal']!r} is no address")
    # The dot at the end says that the name is complete, which it is here anyway.
    return Address((found["literal"] or found["name"].removesuffix(".")).lower(), port)


def parse_upstream(url: str) -> Address:
    """The server behind the proxy, from its URL. Raises TargetError unless it is http://host:port and nothing more."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise TargetError(f"upstream: {url!r} is no URL") from None
    if parts.scheme != "http" or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise TargetError(f"upstream: {url!r} is not of the form http://host:port")
    try:
        return parse_authority(parts.netloc, 80)
    except TargetError as error:
        raise TargetError(f"upstream: {error}") from None


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
