"""Requests and replies of HTTP/1.1 as bytes."""

import json
from typing import Any, NamedTuple

BAD_REQUEST = '{"code":-400,"message":"请求错误","ttl":1}'.encode()
JSON = "application/json; charset=utf-8"


class Reply(NamedTuple):
    """One reply."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> int:
        """That of the envelope."""
        return int(json.loads(self.body)["code"])

    @property
    def data(self) -> Any:
        """That of the envelope."""
        return json.loads(self.body)["data"]


def get(target: str, *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/{version}", "Host: x", *lines, "", ""]).encode("latin-1")


def post(target: str, body: bytes, *lines: str, version: str = "1.1") -> bytes:
    return get(target, f"Content-Length: {len(body)}", *lines, version=version, method="POST") + body
