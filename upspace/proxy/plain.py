"""A plain HTTP request handed on, and its reply handed back byte by byte as it comes."""

import asyncio

import h11

from upspace.proxy.channels import Channel
from upspace.proxy.listening import BrokenReplyError
from upspace.proxy.requests import Incoming
from upspace.proxy.targets import Address

_REPLY_HEAD_MAX_BYTES = 1 << 20

# What is meant for the proxy alone, what would turn the connection into something else, and what is said anew.
_NOT_HANDED_ON = {b"proxy-connection", b"proxy-authorization", b"upgrade", b"http2-settings", b"host"}


async def exchange(
    request: h11.Request, host: Address, asked: bytes, incoming: Incoming, client: Channel, server: Channel
) -> bool:
    """Hand on a request whose head has been read, and hand back the reply; whether the client may ask again.

    The reply is followed, not made anew: what is cut off, delayed or no HTTP at all arrives as it was sent. Raises
    RefusedError for a body that is none, BrokenReplyError, and OSError if a connection breaks.
    """
    follower = h11.Connection(h11.CLIENT, max_incomplete_event_size=_REPLY_HEAD_MAX_BYTES)
    head = h11.Request(method=request.method, target=asked, headers=_headers(request, host))
    await server.write(follower.send(head) or b"")
    sending = asyncio.create_task(_hand_on(incoming, follower, server))
    replying = asyncio.create_task(_hand_back(follower, server, client))
    try:
        await asyncio.wait((sending, replying), return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and not replying.done():
            sending.result()
        try:
            await replying
        except BrokenReplyError:
            if sending.done() and not sending.result():
                raise ConnectionResetError from None
            raise
    finally:
        for task in (sending, replying):
            task.cancel()
        await asyncio.gather(sending, replying, return_exceptions=True)
    return follower.our_state is h11.DONE and follower.their_state is h11.DONE


def _headers(request: h11.Request, host: Address) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in request.headers.raw_items() if name.lower() not in _NOT_HANDED_ON]
    if request.http_version == b"1.0":
        # Such a client takes the end of the connection for the end of the reply.
        kept = [(name, value) for name, value in kept if name.lower() != b"connection"] + [(b"Connection", b"close")]
    return [(b"Host", (str(host) if host.port != 80 else str(host)[: -len(":80")]).encode()), *kept]


async def _hand_on(incoming: Incoming, follower: h11.Connection, server: Channel) -> bool:
    """Send the body; then watch whether the client leaves, which the server has to know. False if that has left."""
    while True:
        part = await incoming.part()
        if not isinstance(part, h11.Data | h11.EndOfMessage):
            break
        try:
            await server.write(follower.send(part) or b"")
        except OSError:
            # It may have answered before. Who reads that will meet no reset any more: it is told of once.
            return False
        if isinstance(part, h11.EndOfMessage):
            break
    if not await incoming.more():
        await server.end()
    return True


async def _hand_back(follower: h11.Connection, server: Channel, client: Channel) -> None:
    understood = True
    while data := await server.read():
        await client.write(data)
        if understood:
            try:
                if _follow(follower, data):
                    return
            except h11.RemoteProtocolError:
                understood = False
    # The end of the connection can be that of the reply.
    try:
        if understood and _follow(follower, b""):
            return
    except h11.RemoteProtocolError:
        pass
    raise BrokenReplyError


def _follow(follower: h11.Connection, data: bytes) -> bool:
    """Whether the reply is whole with these bytes."""
    follower.receive_data(data)
    while isinstance(event := follower.next_event(), h11.Event):
        if isinstance(event, h11.EndOfMessage):
            return True
        if isinstance(event, h11.ConnectionClosed):
            return False
    return False
