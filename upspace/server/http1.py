"""HTTP/1.1 on a socket: parsed by llhttp, and answered in the loop turn in which a request has come whole.

Framing is the subject of this file: where requests begin and end, in which order they are answered, and when a
connection ends. What goes out is `replies.py`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable
from typing import TYPE_CHECKING, cast

import httptools

from upspace.server.heads import Headers, RepeatedHead, split_target, without_upgrade
from upspace.server.http import BODY_MAX_BYTES, Manner, Request, Response
from upspace.server.making import Making
from upspace.server.replies import failed, ill_formed
from upspace.wire.errors import MethodNotAllowedError

if TYPE_CHECKING:
    from upspace.server.door import Door

log = logging.getLogger("upspace")

# What may come of a head in reads after the one in which it began, and of a body with all that frames its parts.
_HEAD_MAX_BYTES = 1 << 16
_FRAMED_MAX_BYTES = 8 * BODY_MAX_BYTES
# From so many requests of one client that wait for their turn on, no more is read of it.
_WAITING_MAX = 16

# In sweeps of the door, 5 seconds each: 75 seconds without a request, 30 for one to come whole and for a reply to be
# read on, and at least 5 to be read by a client that is sending what nobody wants.
_IDLE_SWEEPS = 15
_COMING_SWEEPS = 6
_STALLED_SWEEPS = 6
_LINGERING_SWEEPS = 2

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """One client. Its requests are answered in their order, one at a time."""

    _transport: asyncio.Transport
    _url: bytes
    _headers: Headers
    _body: list[bytes]

    def __init__(self, door: "Door") -> None:
        self._door = door
        self._parser = httptools.HttpRequestParser(self)
        self._peer = ""
        self._repeated = RepeatedHead()
        # A request has begun to come, of which so much came late and so much is its body.
        self._coming = self._head_came = self._expects_continue = False
        self._late_bytes = self._body_bytes = 0
        # So many have begun in the read that is looked at.
        self._begun = 0
        # No further request is taken: the last one has come, or where the next begins is not known.
        self._last_came = False
        self._gone = False
        # What is not answered yet, and refusals of what could not be understood.
        self._waiting: deque[Request | Response] = deque()
        self._answering: asyncio.Task[None] | Making | None = None
        # The client does not read as fast as it asks.
        self._full = False
        # The client may be sending what nobody wants, and shall be able to read the last reply first.
        self._lingers = self._lingering = False
        # Sweeps without anything new, and what was unsent at the last one.
        self._quiet = 0
        self._unsent_bytes = 0

    # Called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        # Those of uvloop are, without saying so.
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        # One that has left already has no name.
        self._peer = peer[0] if peer else ""
        self._door.opened(self)
        if self._door.closed:
            transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        """The client is gone. What it has asked for is done to its end, for nobody."""
        self._last_came = self._gone = True
        self._waiting.clear()
        if self._answering is None:
            self._door.ended(self)
        # It holds this object by its methods.
        del self._parser

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._last_came:
            return
        between = not self._coming
        if between and (target := self._repeated.target(data)):
            self._quiet = 0
            self._take("GET", target, self._repeated.headers, b"")
            return
        self._begun = 0
        try:
            self._feed(data)
        except httptools.HttpParserCallbackError:
            log.exception("a connection failed")
            self._transport.abort()
        except httptools.HttpParserError as error:
            # What follows a last request does not matter.
            if self._last_came:
                return
            unknown_method = isinstance(error, httptools.HttpParserInvalidMethodError)
            self._refuse(ill_formed(405, MethodNotAllowedError) if unknown_method else ill_formed(400))
        else:
            if self._last_came:
                return
            if self._coming:
                self._await_rest(len(data))
            elif between and self._begun == 1:
                self._repeated.learn(data, self._url, self._headers)

    def eof_received(self) -> bool:
        """The client sends no more; it may still wait for replies. True keeps the connection."""
        if self._coming and self._head_came and not self._last_came:
            self._last_came = True
            self._take_parsed(None)
        self._last_came = True
        return self._busy() and self._transport.get_extra_info("ssl_object") is None

    def pause_writing(self) -> None:
        """More is unsent than shall be kept for one client."""
        self._full = True

    def resume_writing(self) -> None:
        """Enough of it has been sent."""
        self._full = False
        self._answer_waiting()

    # Called by the parser

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers = Headers()
        self._body = []
        self._begun += 1
        self._late_bytes = -1
        self._body_bytes = self._quiet = 0
        self._coming, self._head_came, self._expects_continue = True, False, False

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of its headers; what comes behind a body in parts is none."""
        if not self._head_came:
            self._headers.add(name, value)

    def on_headers_complete(self) -> None:
        """All its headers are here."""
        self._head_came = True
        if "expect" in self._headers and self._headers["expect"].lower() == "100-continue":
            self._expects_continue = not self._parser.should_upgrade() and self._parser.get_http_version() != "1.0"
            self._send_continue()

    def on_body(self, piece: bytes) -> None:
        """A piece of its body."""
        self._body_bytes += len(piece)
        if self._body_bytes <= BODY_MAX_BYTES:
            self._body.append(piece)
        elif not self._last_came:
            # The rest is in the way of further requests.
            self._last_came = self._lingers = True
            self._take_parsed(None)

    def on_message_complete(self) -> None:
        """It is here as a whole."""
        self._coming = self._expects_continue = False
        if self._last_came:
            return
        parser = self._parser
        if parser.should_upgrade():
            if parser.get_method() != b"CONNECT":
                # The parser takes what follows for another protocol, be it the body: see `_feed`.
                return
            self._last_came = True
        elif not parser.should_keep_alive():
            self._last_came = True
        elif "connection" in self._headers and parser.get_http_version() == "1.0":
            # It asks to go on, which in this version has to be agreed to. Nobody has to.
            self._last_came = True
        self._take_parsed(b"".join(self._body) if self._body else b"")

    # Called by the door

    def sweep(self) -> None:
        """Some seconds have passed: end what has been quiet for too long."""
        self._quiet += 1
        unsent = self._transport.get_write_buffer_size()
        if unsent:
            if unsent != self._unsent_bytes:
                self._quiet = 0
            elif self._quiet >= _STALLED_SWEEPS:
                self._transport.abort()
        elif self._busy():
            self._quiet = 0
        elif self._lingering:
            if self._quiet >= _LINGERING_SWEEPS:
                self._transport.close()
        elif self._coming and not self._last_came:
            if self._quiet >= _COMING_SWEEPS:
                self._refuse(ill_formed(408))
        elif self._quiet >= _IDLE_SWEEPS:
            self._transport.close()
        self._unsent_bytes = unsent

    def finish(self) -> None:
        """End when what is being answered is, at once if that is nothing."""
        if not self._busy():
            self._transport.close()

    def abort(self) -> None:
        """End now."""
        self._transport.abort()

    # Requests in, replies out

    def _busy(self) -> bool:
        return self._answering is not None or bool(self._waiting)

    def _send_continue(self) -> None:
        """Tell who asks before sending a body to send it, if it is its turn."""
        if self._expects_continue and not self._busy() and not self._last_came:
            self._expects_continue = False
            self._transport.write(_CONTINUE)

    def _feed(self, data: bytes) -> None:
        """Have the parser read what has come. Raises what the parser raises.

        Clients that know HTTP/2 wish for it in their first request. It is answered in this protocol, and its body comes
        all the same, but the parser reads on only if it sees no such wish.
        """
        rest = memoryview(data)
        while rest:
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                if self._last_came:
                    return
                rest = rest[upgrade.args[0] :]
                parser = self._parser
                method, target = parser.get_method().decode("ascii"), self._url.decode("latin-1")
                self._parser = httptools.HttpRequestParser(self)
                self._parser.feed_data(without_upgrade(method, target, parser.get_http_version(), self._headers))
            else:
                return

    def _await_rest(self, size: int) -> None:
        """A part of a request has come, in a read of so many bytes."""
        if self._late_bytes < 0:
            self._late_bytes = 0
            return
        self._late_bytes += size
        if self._late_bytes > (_FRAMED_MAX_BYTES if self._head_came else _HEAD_MAX_BYTES):
            self._refuse(ill_formed(431))

    def _take_parsed(self, body: bytes | None) -> None:
        """The parser has read a request; `body` is None if that is too large."""
        self._take(self._parser.get_method().decode("ascii"), self._url.decode("latin-1"), self._headers, body)

    def _take(self, method: str, target: str, headers: Headers, body: bytes | None) -> None:
        try:
            path, query = split_target(target)
        except ValueError:
            self._refuse(ill_formed(400))
            return
        request = Request(method, path, query, headers.get, headers.lines, body, self._peer)
        if self._full or self._busy():
            self._waiting.append(request)
            if len(self._waiting) >= _WAITING_MAX:
                self._transport.pause_reading()
        else:
            self._answer(request)

    def _refuse(self, refusal: Response) -> None:
        """What the client has sent is no request, and nothing after it is one."""
        self._last_came = self._lingers = True
        self._waiting.append(refusal)
        self._answer_waiting()

    def _answer_waiting(self) -> None:
        if self._transport.is_closing():
            self._waiting.clear()
            return
        while self._waiting and self._answering is None and not self._full:
            asked = self._waiting.popleft()
            if isinstance(asked, Request):
                self._answer(asked)
            else:
                self._send("GET", asked)
        if len(self._waiting) < _WAITING_MAX:
            self._transport.resume_reading()
        self._send_continue()

    def _answer(self, request: Request) -> None:
        making = self._door.answer(request)
        # What is noted for one request in its context is not for the next one.
        context = self._door.context.copy()
        if not self._door.taskless:
            self._answering = self._door.loop.create_task(self._answer_later(request, making), context=context)
            return
        try:
            awaited = context.run(making.send, None)
        except StopIteration as made:
            self._send(request.method, made.value)
        except Exception as error:
            self._send(request.method, failed(request, error))
        else:
            self._answering = Making(self._door.loop, context, request, making, self._answered)
            self._answering.wait_for(awaited)

    def _answered(self, request: Request, response: Response) -> None:
        """The reply that was waited for is here."""
        self._send(request.method, response)
        self._finish_answering()

    async def _answer_later(self, request: Request, making: Awaitable[Response]) -> None:
        try:
            response = await making
        except Exception as error:
            response = failed(request, error)
        if response.manner is None:
            self._send(request.method, response)
        else:
            try:
                await self._send_in_manner(request.method, response, response.manner)
            except Exception:
                self._give_up()
        self._finish_answering()

    def _finish_answering(self) -> None:
        self._answering = None
        if self._gone:
            self._door.ended(self)
        self._answer_waiting()

    def _give_up(self) -> None:
        """End a connection whose reply could not be sent: the client would take the next one for it."""
        log.exception("a reply failed")
        self._transport.abort()

    async def _send_in_manner(self, method: str, response: Response, manner: Manner) -> None:
        if self._transport.is_closing():
            return
        from upspace.server.control.manners import send_in_manner

        ends = self._ends()
        head, body = self._door.replies.parts(method, response, ends=ends)
        await send_in_manner(self._transport, head, body, manner)
        # The door may have been told to close meanwhile.
        if ends or self._ends():
            self._end()

    def _send(self, method: str, response: Response) -> None:
        if self._transport.is_closing():
            return
        ends = self._ends()
        try:
            self._transport.write(self._door.replies.reply(method, response, ends=ends))
        except Exception:
            self._give_up()
            ends = True
        if ends:
            self._end()

    def _ends(self) -> bool:
        """Whether the reply that is sent now is the last one."""
        return self._door.closing or (self._last_came and not self._waiting)

    def _end(self) -> None:
        """Close the connection once all has been sent, or read.

        If it is closed while more comes, the system tells the client so, which may then lose what it has not read.
        """
        self._last_came = True
        self._waiting.clear()
        if not self._lingers or self._transport.is_closing():
            self._transport.close()
            return
        self._lingering, self._quiet = True, 0
        if self._transport.can_write_eof():
            self._transport.write_eof()
