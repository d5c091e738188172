"""Replies that are made without a task."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from upspace.server.http import Request, Response
from upspace.server.replies import failed


class Making:
    """A reply that is being made without a task: it goes on when that has come which it waits for.

    A task would cost a request over PostgreSQL a twentieth more. What a task has and this has not: it can be cancelled,
    and asked for as the current one.
    """

    __slots__ = ("_context", "_loop", "_made", "_making", "_request")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        request: Request,
        making: Coroutine[Any, Any, Response],
        made: Callable[[Request, Response], None],
    ) -> None:
        self._loop = loop
        self._context = context
        self._request = request
        self._making = making
        self._made = made

    def wait_for(self, awaited: Any) -> None:
        """Go on later: `awaited` is what a coroutine yields, a future or None for the next turn."""
        if awaited is None:
            self._loop.call_soon(self._resume, context=self._context)
            return
        # So a task tells a future that it has been waited for in the way that is right.
        awaited._asyncio_future_blocking = False
        awaited.add_done_callback(self._resume, context=self._context)

    def _resume(self, _done: Any = None) -> None:
        try:
            awaited = self._making.send(None)
        except StopIteration as finished:
            self._made(self._request, finished.value)
        except (Exception, asyncio.CancelledError) as error:
            self._made(self._request, failed(self._request, error))
        else:
            self.wait_for(awaited)
