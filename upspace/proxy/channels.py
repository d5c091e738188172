"""One end of a connection: bytes in, bytes out, its clean end and its abrupt one; plain or inside TLS.

On sockets rather than asyncio's streams: those lose what came just before a reset, end a TLS connection in both
directions at once, and do not tell a reset from an end.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeVar

T = TypeVar("T")

_CHUNK_BYTES = 1 << 16

# On closing, the system sends a reset and forgets what it has not sent yet.
_LINGER_NOT = struct.pack("ii", 1, 0)


class Channel:
    """A connected socket, which it owns. One task may read while another writes.

    Reading and writing raise OSError when the connection is broken.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._loop = asyncio.get_running_loop()

    async def read(self) -> bytes:
        """What comes next; empty when the other end will send nothing more."""
        return await self._loop.sock_recv(self._socket, _CHUNK_BYTES)

    async def write(self, data: bytes) -> None:
        """Send all of it; slow if the other end reads slowly."""
        # Sending nothing would take a reset that has come from whoever reads.
        if data:
            await self._loop.sock_sendall(self._socket, data)

    async def end(self) -> None:
        """Say that nothing more will be sent. Reading goes on."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of the socket. No task may be reading or writing any more."""
        self._socket.close()

    def abort(self) -> None:
        """The same, but so that the other end sees a broken connection."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self._socket.close()


class TlsChannel(Channel):
    """The inside of a TLS connection, as its server."""

    def __init__(self, outside: Channel, context: ssl.SSLContext, received: bytes) -> None:
        # The outside must not be used any more: there is one owner of a socket.
        super().__init__(outside._socket)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._sending = asyncio.Lock()
        self._ended = False
        self._incoming.write(received)

    @classmethod
    async def accept(cls, outside: Channel, context: ssl.SSLContext, received: bytes) -> Self:
        """Do the handshake; `received` is what has been read of it. Raises OSError if it comes to nothing."""
        channel = cls(outside, context, received)
        try:
            await channel._step(channel._tls.do_handshake)
        except EOFError as error:
            raise ConnectionAbortedError from error
        except ssl.SSLError:
            # An alert tells the client why.
            await channel._flush()
            raise
        await channel._flush()
        return channel

    async def read(self) -> bytes:
        """What comes next inside; empty at the end, with or without a word of TLS."""
        try:
            return await self._step(lambda: self._tls.read(_CHUNK_BYTES))
        except EOFError:
            # So many clients leave without that word that nothing can be made of it.
            return b""
        except ssl.SSLError:
            if self._ended:
                # OpenSSL takes nothing more from a client after it has been told of the end.
                return b""
            raise

    async def write(self, data: bytes) -> None:
        """Send all of it, encrypted."""
        left = memoryview(data)
        while left:
            left = left[self._tls.write(left) :]
        await self._flush()

    async def end(self) -> None:
        """Say in the words of TLS that nothing more will be sent, then as the socket does."""
        self._ended = True
        # It goes on to wait for the other end's own farewell, which need not have come yet.
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._flush()
        await super().end()

    async def _step(self, step: Callable[[], T]) -> T:
        """Try a step of TLS until it has received what it needs. Raises EOFError if nothing more comes."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self._flush()
                received = await super().read()
            if not received:
                # Not for OpenSSL to know: it would take that for a failure, and send nothing any more either.
                raise EOFError
            self._incoming.write(received)

    async def _flush(self) -> None:
        """Send what TLS has to say. Reading makes it speak too, hence the lock."""
        async with self._sending:
            await super().write(self._outgoing.read())


async def connect(host: str, port: int) -> Channel:
    """A connection to the first address of a host that takes it. Raises OSError if none does."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("not a host name") from error
    refused = OSError("no address")
    for family, kind, protocol, _, address in found:
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.setblocking(False)
            await loop.sock_connect(connecting, address)
        except OSError as error:
            connecting.close()
            refused = error
        except BaseException:
            connecting.close()
            raise
        else:
            return Channel(connecting)
    raise refused
