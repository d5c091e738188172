"""Calls of the control interface over HTTP."""

from typing import Any, TypeVar

import httpx
import msgspec

from upspace.wire.control import CONTROL_PREFIX

T = TypeVar("T")

_TIMEOUT_S = 120


class ControlError(Exception):
    """The server refused what a test asked of it, and why."""


class ControlClient:
    """Sends requests to the control interface of the server at `url`."""

    def __init__(self, url: str) -> None:
        # Neither a proxy nor a certificate that the environment names is for this.
        self._http = httpx.Client(base_url=url + CONTROL_PREFIX, timeout=_TIMEOUT_S, trust_env=False)

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """`data` of the reply as plain values, None if there is none. Raises ControlError."""
        content = None if body is None else msgspec.json.encode(body)
        response = self._http.request(method, path, content=content)
        try:
            reply = msgspec.json.decode(response.content, type=dict[str, Any])
        except msgspec.DecodeError:
            reply = {}
        if reply.get("code") != 0:
            data = reply.get("data")
            reason = data["reason"] if isinstance(data, dict) and "reason" in data else reply.get("message", "")
            raise ControlError(f"{method} {path}: {reason} (HTTP {response.status_code}, code {reply.get('code')})")
        return reply.get("data")

    def read(self, method: str, path: str, kind: type[T], body: Any = None) -> T:
        """`data` of the reply as a value of a type. Raises ControlError."""
        return msgspec.convert(self.call(method, path, body), kind)
