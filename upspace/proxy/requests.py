"""What a client says to a proxy, request by request: read, understood, refused."""

import asyncio
from http import HTTPStatus

import h11

from upspace.proxy.channels import Channel
from upspace.proxy.targets import Address, TargetError, parse_authority

HEAD_MAX_BYTES = 1 << 16
"""No head of a request may be larger."""


class RefusedError(Exception):
    """A request that is not carried out: an HTTP status, and why in one sentence."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Incoming:
    """What a client sends, in the parts that h11 finds in it. To be closed before the client's channel is."""

    def __init__(self, client: Channel) -> None:
        self._client = client
        self._parser = _new_parser()
        self._reading: asyncio.Task[bytes] | None = None

    async def head(self, within_s: float) -> h11.Request | None:
        """The head of the next request, when the one before has been read to its end.

        None if none will come, or has come within so many seconds. Raises RefusedError for what is no request, OSError
        if the connection breaks.
        """
        received, ended = self._parser.trailing_data
        self._parser = _new_parser()
        if received:
            self._parser.receive_data(received)
        if ended:
            self._parser.receive_data(b"")
        try:
            async with asyncio.timeout(within_s):
                event = await self.part()
        except TimeoutError:
            return None
        return event if isinstance(event, h11.Request) else None

    async def part(self) -> h11.Event:
        """The next part: behind a head, pieces of the body and the end of the message. Raises like `head`."""
        try:
            while not isinstance(event := self._parser.next_event(), h11.Event):
                await self.more()
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            raise RefusedError(status, f"not a request that a proxy understands: {error}") from None
        return event

    async def more(self) -> bool:
        """Wait until the client sends more, for whoever asks next; False if it never will.

        Nothing is lost if the wait is cancelled.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._client.read())
        received = await asyncio.shield(self._reading)
        self._reading = None
        self._parser.receive_data(received)
        return bool(received)

    def reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> bytes:
        """The reply to the request that has been read, as it is sent; to HEAD it is the head alone.

        Its length is added to the headers, unless they say one. Raises RefusedError for headers that cannot be sent.
        """
        if not any(name == "content-length" for name, _ in headers):
            headers = [*headers, ("content-length", str(len(body)))]
        events = (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        try:
            return b"".join(self._parser.send(event) or b"" for event in events)
        except h11.LocalProtocolError as error:
            raise RefusedError(HTTPStatus.BAD_GATEWAY, f"the reply cannot be handed back: {error}") from None

    @property
    def may_go_on(self) -> bool:
        """Whether the client may ask again, now that it has been replied to."""
        return self._parser.our_state is h11.DONE and self._parser.their_state is h11.DONE

    def rest(self) -> bytes:
        """What has been received beyond the request."""
        return self._parser.trailing_data[0]

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


def target_of(request: h11.Request) -> tuple[Address, bytes]:
    """Where a request wants to go, and what it asks for there; nothing, if it is CONNECT.

    Raises RefusedError for a target that is not one for a proxy.
    """
    target = request.target.decode("ascii")
    try:
        if request.method == b"CONNECT":
            return parse_authority(target), b""
        scheme, separator, rest = target.partition("://")
        if not separator or scheme.lower() != "http":
            raise TargetError("this is a proxy: it takes CONNECT host:port, and URLs that begin with http://")
        end = min((at for mark in "/?#" if (at := rest.find(mark)) >= 0), default=len(rest))
        asked = rest[end:].partition("#")[0]
        authority = rest[:end].rpartition("@")[2]
        return parse_authority(authority, 80), (asked if asked.startswith("/") else f"/{asked}").encode()
    except TargetError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None


async def refuse(client: Channel, refusal: RefusedError) -> None:
    """Tell a client why it gets nothing, and that the connection ends. Raises OSError if it is gone.

    The sentence is the body, and stands behind the status too: many clients show of a refused CONNECT no more than
    that line.
    """
    why = str(refusal).encode("ascii", "replace")
    await client.write(
        b"HTTP/1.1 %d %s: %s\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s\n"
        % (refusal.status, refusal.status.phrase.encode(), why, len(why) + 1, why)
    )
    await client.end()


def _new_parser() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_MAX_BYTES)
