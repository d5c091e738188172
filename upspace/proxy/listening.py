"""Clients that come to a listening socket, each served by a task of its own."""

import asyncio
import errno
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Self

from upspace.proxy.channels import Channel
from upspace.proxy.requests import Incoming, RefusedError, refuse

# Descriptors come back when connections end, and nothing says when.
_ACCEPT_AGAIN_S = 0.1
_OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

# For the client of a refused request to read why, before the system resets what it goes on sending.
_FAREWELL_S = 2


class ListenError(Exception):
    """The address cannot be listened on, in one sentence."""


class BrokenReplyError(Exception):
    """The server has ended its side without a whole reply."""


def listen(host: str, port: int) -> socket.socket:
    """A socket on which clients wait; port 0 is any free one. Raises ListenError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server((str(address[0]), int(address[1])), family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "not a host name"
        raise ListenError(f"cannot listen on {host}:{port}: {reason}") from error
    listener.setblocking(False)
    return listener


class Listening(ABC):
    """Serves clients of a listening socket, which it owns, from `async with` on to its end."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._tasks: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def serve(self, client: Channel, incoming: Incoming) -> None:
        """Answer one client, whose requests are in what comes in.

        May raise RefusedError, which the client is told, BrokenReplyError, and OSError where a connection breaks.
        """

    async def __aenter__(self) -> Self:
        self._start(self._accept())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take no more clients, and let go of those that are there."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connected, _ = await loop.sock_accept(self._listener)
            except OSError as failed:
                if failed.errno in _OUT_OF_DESCRIPTORS:
                    await asyncio.sleep(_ACCEPT_AGAIN_S)
                # Otherwise the client has left before it was taken.
                continue
            self._start(self._serve(connected))

    async def _serve(self, connected: socket.socket) -> None:
        """One client, until either side has had enough."""
        with connected:
            try:
                client = Channel(connected)
            except OSError:
                # It has left before it was looked at.
                return
            incoming, broken = Incoming(client), False
            try:
                await self._serve_or_refuse(client, incoming)
            except OSError:
                broken = True
            finally:
                await incoming.close()
            # Not before nobody reads any more: the number of a closed socket may be that of the next client's.
            if broken:
                client.abort()

    async def _serve_or_refuse(self, client: Channel, incoming: Incoming) -> None:
        try:
            await self.serve(client, incoming)
        except RefusedError as refusal:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await refuse(client, refusal)
                    while await incoming.more():
                        pass
        except BrokenReplyError:
            # Its end is handed back as well.
            return


def reason_of(error: OSError) -> str:
    """What the system says of an error, without the address that asyncio and the standard library put into it."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)
