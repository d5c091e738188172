"""The client for coroutines, in event loops of asyncio."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

import httpx
from tenacity.asyncio import AsyncRetrying

from upspace.client.credentials import Session, headers_of
from upspace.client.endpoints import Endpoints
from upspace.client.http import TIMEOUT_S, checked, reply_of, request_of, tls_context
from upspace.client.paging import Pages
from upspace.client.requests import Call
from upspace.client.retries import RETRIES, attempts, pause_s, worth_another
from upspace.client.walks import AsyncWalk

T = TypeVar("T")
Item = TypeVar("Item")


class AsyncClient(Endpoints):
    """`Client` for coroutines: its methods are to be awaited, its walks are for `async for`.

    `pause` is awaited. Any number of tasks may use it at a time. Close it with `aclose`, or use it in an `async with`
    block.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        session: Session | None = None,
        timeout_s: float | None = TIMEOUT_S,
        retries: int = RETRIES,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._session = session
        self._attempts = attempts(retries)
        self._pause = pause
        self._http = httpx.AsyncClient(
            base_url=checked(base_url),
            headers=headers_of(token, session),
            timeout=timeout_s,
            transport=transport,
            trust_env=False,
            verify=tls_context(),
        )

    async def send(self, call: Call[T]) -> T:
        """What the reply to a call says.

        Raises the errors of `upspace.wire.errors`, UnknownCodeError, UnreadableReplyError, and the exceptions of httpx
        for connections.
        """
        again = AsyncRetrying(
            sleep=self._pause, stop=self._attempts, wait=pause_s, retry=worth_another(write=call.write), reraise=True
        )
        return await again(self._send_once, call)

    def walk(self, pages: Pages[Item]) -> AsyncWalk[Item]:
        """An asynchronous iterator over these pages of a list."""
        return AsyncWalk(self, pages)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send_once(self, call: Call[T]) -> T:
        return call.read(reply_of(await self._http.send(request_of(self._http, call, self._session))))
