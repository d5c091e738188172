"""Replies that do not go out at once and whole, over Granian. Only a controlled server sends any."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from granian._granian import RSGIProtocolClosed

from upspace.server.control.sockets import reset_connection
from upspace.server.http import Manner, Response

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol
    from granian.rsgi import Scope

_SENT_WITHIN_S = 0.05


async def send_in_manner(
    scope: "Scope",
    protocol: "RSGIHTTPProtocol",
    headers: Sequence[tuple[str, str]],
    response: Response,
    manner: Manner,
) -> None:
    """Send a reply in its manner, or end the connection. A client that has left meanwhile is no fault of ours."""
    if manner.reset and reset_connection(scope.client):
        # Until the server has noticed, a return would count as a failure to answer.
        await protocol.client_disconnect()
        return
    if scope.method == "HEAD":
        protocol.response_bytes(response.status, list(headers), response.body)
        return
    # A body that ends before its length makes the server close the connection.
    length = ("content-length", str(len(response.body)))
    transport = protocol.response_stream(response.status, [*headers, length])
    with suppress(RSGIProtocolClosed):
        for number, piece in enumerate(manner.pieces(response.body)):
            if number:
                await asyncio.sleep(manner.drip_pause_s)
            await transport.send_bytes(piece)
        if manner.cut_at is not None:
            # Granian throws away what it has not sent when a body ends early, and does not tell when it has.
            await asyncio.sleep(_SENT_WITHIN_S)
