"""Replies that do not go out at once and whole, on a socket. Only a controlled server sends any."""

import asyncio
import socket
import struct

from upspace.server.http import Manner

# Closed at once, with what is still to be sent thrown away: the other end is told "connection reset".
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


async def send_in_manner(transport: asyncio.Transport, head: bytes, body: bytes, manner: Manner) -> None:
    """Send a reply in its manner, or end the connection. A client that leaves meanwhile is no fault of ours."""
    if manner.reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        transport.abort()
        return
    transport.write(head)
    for number, piece in enumerate(manner.pieces(body)):
        if number:
            await asyncio.sleep(manner.drip_pause_s)
        if transport.is_closing():
            return
        transport.write(piece)
    if manner.cut_at is not None and body:
        transport.close()
