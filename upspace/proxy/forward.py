"""A forward proxy that answers for some host names itself: what goes there, it hands to one server of the user's."""

import asyncio
import socket
import ssl
from http import HTTPStatus
from typing import NamedTuple

from upspace.proxy.authority import Authority, AuthorityError
from upspace.proxy.channels import Channel, TlsChannel, connect
from upspace.proxy.listening import Listening, reason_of
from upspace.proxy.plain import exchange
from upspace.proxy.relay import relay
from upspace.proxy.requests import Incoming, RefusedError, target_of
from upspace.proxy.targets import Address, Hosts

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_TLS_HANDSHAKE = b"\x16"


class Bounds(NamedTuple):
    """How long things may take, in seconds. What has been handed on may last for ever."""

    head_s: float = 60
    """A client that has said no whole request by then is let go."""
    connect_s: float = 10
    handshake_s: float = 10


class ForwardProxy(Listening):
    """A forward proxy on a listening socket, which it owns, from `async with` on to its end.

    What goes to `hosts`, and to `upstream` by its own address, is handed to `upstream`: the inside of it where a
    client speaks TLS, with a certificate of `authority` for the name it asked for. All else is refused, or passed
    through to where it wants to go.
    """

    def __init__(
        self,
        listener: socket.socket,
        upstream: Address,
        hosts: Hosts,
        authority: Authority,
        *,
        pass_through: bool = False,
        bounds: Bounds = Bounds(),  # noqa: B008  # never changes
    ) -> None:
        super().__init__(listener)
        self._upstream = upstream
        self._hosts = hosts
        self._authority = authority
        self._pass_through = pass_through
        self._bounds = bounds

    async def serve(self, client: Channel, incoming: Incoming) -> None:
        """Carry out the requests of one client."""
        while await self._answer(incoming, client):
            pass

    async def _answer(self, incoming: Incoming, client: Channel) -> bool:
        """Carry out the next request; whether there may be another one. Raises RefusedError and what breaks."""
        request = await incoming.head(self._bounds.head_s)
        if request is None:
            return False
        target, asked = target_of(request)
        address, context = self._way_to(target, within=request.method == b"CONNECT")
        server = await self._connect(address)
        try:
            if request.method == b"CONNECT":
                await self._tunnel(client, incoming.rest(), server, context)
                return False
            return await exchange(request, target, asked, incoming, client, server)
        except OSError:
            server.abort()
            raise
        finally:
            server.close()

    def _way_to(self, target: Address, *, within: bool) -> tuple[Address, ssl.SSLContext | None]:
        """Where what is for a target goes, and what to speak TLS with, within a tunnel to a host stood in for."""
        if self._hosts.cover(target.host):
            try:
                return self._upstream, self._authority.context(target.host) if within else None
            except AuthorityError as error:
                raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None
        if target != self._upstream and not self._pass_through:
            stood_in = ", ".join(self._hosts.patterns)
            raise RefusedError(
                HTTPStatus.FORBIDDEN, f"upspace stands in for {stood_in} and lets nothing through to {target}"
            )
        return target, None

    async def _connect(self, address: Address) -> Channel:
        try:
            async with asyncio.timeout(self._bounds.connect_s):
                return await connect(*address)
        except TimeoutError:
            reason = "no answer in time"
        except OSError as error:
            reason = reason_of(error)
        raise RefusedError(HTTPStatus.BAD_GATEWAY, f"cannot reach {address}: {reason}")

    async def _tunnel(self, client: Channel, received: bytes, server: Channel, context: ssl.SSLContext | None) -> None:
        """Join a client that has asked by CONNECT and a server; inside TLS, if there is a context and it speaks it."""
        await client.write(_ESTABLISHED)
        if context is not None:
            try:
                async with asyncio.timeout(self._bounds.handshake_s):
                    received = received or await client.read()
                    if not received:
                        return
                    if received.startswith(_TLS_HANDSHAKE):
                        client, received = await TlsChannel.accept(client, context, received), b""
            except OSError:
                # It has left, is too slow, speaks no TLS that is spoken here, or does not trust the authority.
                return
        if received:
            await server.write(received)
        await relay(client, server)
