"""A recorder: it hands every request on to one server, and keeps what passes."""

import socket
from http import HTTPStatus
from types import TracebackType

import h11
import httpx

from upspace.proxy.channels import Channel
from upspace.proxy.listening import Listening, reason_of
from upspace.proxy.recorded import Exchange, PairFile, pair_of
from upspace.proxy.requests import Incoming, RefusedError

_REPLY_WITHIN_S = 60
_HEAD_WITHIN_S = 60
_BODY_MAX_BYTES = 1 << 20

# What concerns one connection alone, or is said anew.
_NOT_HANDED_ON = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_NOT_HANDED_BACK = _NOT_HANDED_ON | {"content-encoding"}


class Recorder(Listening):
    """A recorder on a listening socket, which it owns, from `async with` on to its end.

    `upstream` is the URL that the paths of requests are added to. Replies are handed back when they are whole, and
    unpacked, so that what is kept can be read.
    """

    def __init__(self, listener: socket.socket, upstream: str, file: PairFile) -> None:
        super().__init__(listener)
        self._upstream = upstream.rstrip("/")
        self._file = file
        # Not httpx's client, which would keep cookies for the next request, whoever sends it.
        self._transport = httpx.AsyncHTTPTransport()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        await self._transport.aclose()

    async def serve(self, client: Channel, incoming: Incoming) -> None:
        """One client, request by request."""
        while (request := await incoming.head(_HEAD_WITHIN_S)) is not None:
            passed = await self._pass_on(request, await _body(incoming))
            await client.write(incoming.reply(passed.status, _handed_back(passed), passed.reply))
            if not incoming.may_go_on:
                return

    async def _pass_on(self, request: h11.Request, body: bytes) -> Exchange:
        """Ask the server, and keep what passed. Raises RefusedError where that cannot be."""
        target = request.target.decode("ascii", "replace")
        if not target.startswith("/"):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "this is a recorder and no proxy: ask it for a path")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
        method = request.method.decode("ascii")
        response = await self._asked(method, target, headers, body)
        path, _, query = target.partition("?")
        passed = Exchange(
            method,
            path,
            query,
            headers,
            body,
            response.status_code,
            [(name.lower(), value) for name, value in response.headers.multi_items()],
            response.content,
        )
        try:
            self._file.add(pair_of(passed))
        except OSError as error:
            raise RefusedError(HTTPStatus.INSUFFICIENT_STORAGE, f"this cannot be kept: {reason_of(error)}") from None
        return passed

    async def _asked(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> httpx.Response:
        sent = [(name, value) for name, value in headers if name not in _NOT_HANDED_ON]
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), _REPLY_WITHIN_S)
        try:
            asked = httpx.Request(
                method, self._upstream + target, headers=sent, content=body, extensions={"timeout": timeouts}
            )
            response = await self._transport.handle_async_request(asked)
            try:
                await response.aread()
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise RefusedError(HTTPStatus.BAD_GATEWAY, f"{self._upstream} gives no reply: {why}") from None
        return response


def _handed_back(passed: Exchange) -> list[tuple[str, str]]:
    """The headers of the reply, for a body that is unpacked. HEAD is told the length of what GET would give."""
    left_out = _NOT_HANDED_BACK - {"content-length"} if passed.method == "HEAD" else _NOT_HANDED_BACK
    return [(name, value) for name, value in passed.reply_headers if name not in left_out]


async def _body(incoming: Incoming) -> bytes:
    parts: list[bytes] = []
    while isinstance(part := await incoming.part(), h11.Data):
        parts.append(bytes(part.data))
        if sum(map(len, parts)) > _BODY_MAX_BYTES:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {_BODY_MAX_BYTES} bytes")
    return b"".join(parts)
