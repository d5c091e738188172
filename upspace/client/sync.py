"""The client for code without coroutines."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import httpx
from tenacity import Retrying

from upspace.client.credentials import Session, headers_of
from upspace.client.endpoints import Endpoints
from upspace.client.http import TIMEOUT_S, checked, reply_of, request_of, tls_context
from upspace.client.paging import Pages
from upspace.client.requests import Call
from upspace.client.retries import RETRIES, attempts, pause_s, worth_another
from upspace.client.walks import Walk

T = TypeVar("T")
Item = TypeVar("Item")


class Client(Endpoints):
    """Speaks to the server at `base_url`. Every endpoint is a method, and `walk_...` go through whole lists.

    Who asks is an account's `token`, or the `session` of a browser; without both, nobody in particular. A wait for the
    server ends after `timeout_s` seconds, None for never. A call that is refused as too frequent (-799), intercepted
    (-412) or, unless it is a write, with an overload (-503) is sent up to `retries` times more, with pauses in between
    for which `pause` is called. `transport` replaces the network.

    Nothing is taken from the environment: no proxy, no certificates. Raises ValueError for a URL that is none, and for
    credentials that cannot be sent. May be used by several threads. Close it, or use it in a `with` block.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        session: Session | None = None,
        timeout_s: float | None = TIMEOUT_S,
        retries: int = RETRIES,
        pause: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._session = session
        self._attempts = attempts(retries)
        self._pause = pause
        self._http = httpx.Client(
            base_url=checked(base_url),
            headers=headers_of(token, session),
            timeout=timeout_s,
            transport=transport,
            trust_env=False,
            verify=tls_context(),
        )

    def send(self, call: Call[T]) -> T:
        """What the reply to a call says.

        Raises the errors of `upspace.wire.errors`, UnknownCodeError, UnreadableReplyError, and the exceptions of httpx
        for connections.
        """
        again = Retrying(
            sleep=self._pause, stop=self._attempts, wait=pause_s, retry=worth_another(write=call.write), reraise=True
        )
        said: T = again(self._send_once, call)
        return said

    def walk(self, pages: Pages[Item]) -> Walk[Item]:
        """An iterator over these pages of a list."""
        return Walk(self, pages)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _send_once(self, call: Call[T]) -> T:
        return call.read(reply_of(self._http.send(request_of(self._http, call, self._session))))
