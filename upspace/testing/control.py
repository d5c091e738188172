"""Calls of the control interface over HTTP."""

from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import msgspec

from upspace.client.http import tls_context
from upspace.wire.control import CONTROL_PREFIX

T = TypeVar("T")

_TIMEOUT_S = 120


class ControlError(Exception):
    """The server refused what a test asked of it, and why. `code` is that of the reply, None if it was none."""

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        self.code = code


class ControlClient:
    """Sends requests to the control interface of the server at `url`.

    `generation` is raised whenever the server goes back to what it was: what was asked before may hold no more.
    `check` is called where the server does not answer, and may raise why.
    """

    def __init__(self, url: str, check: Callable[[], None] | None = None) -> None:
        self.generation = 0
        self._check = check
        # Neither a proxy nor a certificate that the environment names is for this.
        self._http = httpx.Client(
            trust_env=False, base_url=url + CONTROL_PREFIX, timeout=_TIMEOUT_S, verify=tls_context()
        )

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """`data` of the reply as plain values, None if there is none. Raises ControlError."""
        content = None if body is None else msgspec.json.encode(body)
        try:
            response = self._http.request(method, path, content=content)
        except httpx.TransportError:
            if self._check is not None:
                self._check()
            raise
        try:
            reply = msgspec.json.decode(response.content, type=dict[str, Any])
        except msgspec.DecodeError:
            reply = {}
        if reply.get("code") != 0:
            data = reply.get("data")
            reason = data["reason"] if isinstance(data, dict) and "reason" in data else reply.get("message", "")
            code = reply.get("code")
            raise ControlError(f"{method} {path}: {reason} (HTTP {response.status_code}, code {code})", code)
        return reply.get("data")

    def read(self, method: str, path: str, kind: type[T], body: Any = None) -> T:
        """`data` of the reply as a value of a type. Raises ControlError."""
        return msgspec.convert(self.call(method, path, body), kind)
