"""The door of a worker: what its connections share, and how they all end."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from upspace.server.http import Request, Response
from upspace.server.http1 import Connection
from upspace.server.replies import Replies

if TYPE_CHECKING:
    from upspace.server.app import App
    from upspace.server.control.station import ControlledApp

_SWEEP_S = 5.0
# How long what is on its way to a worker that stops may take to be read.
_LAST_LOOK_S = 0.05


class Door:
    """What the connections of one worker share. `app` answers requests.

    Replies that are made `taskless` need no task: what makes them does not ask which one it is in.
    """

    def __init__(self, app: "App | ControlledApp", *, taskless: bool) -> None:
        self.answer: Callable[[Request], Coroutine[Any, Any, Response]] = app.respond
        self.taskless = taskless
        self.replies = Replies()
        self.context = copy_context()
        # Each connection ends with its next reply; then, those that wait for none have ended.
        self.closing = self.closed = False
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        # To look it up takes a system call.
        self.loop = asyncio.get_running_loop()
        self._sweeping = self.loop.call_later(_SWEEP_S, self._sweep)

    def connect(self) -> Connection:
        """The protocol of one more connection."""
        return Connection(self)

    def opened(self, connection: Connection) -> None:
        """A client has come."""
        self._connections.add(connection)

    def ended(self, connection: Connection) -> None:
        """It is gone."""
        self._connections.discard(connection)
        if self.closed and not self._connections:
            self._empty.set()

    async def close(self, within_s: float) -> None:
        """Answer what is being answered, and end all connections. Those that are left after so long are cut off."""
        self.closing = True
        # What has been sent by now is read first, and answered.
        await asyncio.sleep(_LAST_LOOK_S)
        self.closed = True
        for connection in list(self._connections):
            connection.finish()
        if self._connections:
            try:
                async with asyncio.timeout(within_s):
                    await self._empty.wait()
            except TimeoutError:
                for connection in list(self._connections):
                    connection.abort()
        self._sweeping.cancel()

    def _sweep(self) -> None:
        """One timer for all connections: one each would cost every request two changes of it."""
        self._sweeping = self.loop.call_later(_SWEEP_S, self._sweep)
        for connection in list(self._connections):
            connection.sweep()
