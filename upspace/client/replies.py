"""From a reply to what it says: a value of the type that the endpoint promises, or an exception. No I/O."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from upspace.client.errors import BEGINNING_BYTES, UnknownCodeError, UnreadableReplyError
from upspace.wire.accounts import UpstatReply
from upspace.wire.errors import TABLE, ContractError, MethodNotAllowedError, RateLimitedError

T = TypeVar("T")

_HTTP_OK = 200
# A Retry-After of more digits is nonsense, and int() refuses texts of more than 4300.
_SECONDS_DIGITS_MAX = 9


class Reply(Struct, frozen=True):
    """A reply as it came. `headers` are looked up in lower case; the body is whole and decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Reader = Callable[[Reply], T]
"""Gives what a reply says, or raises an error of the contract, UnknownCodeError or UnreadableReplyError."""


class _Envelope(Struct, frozen=True):
    """What counts of an envelope. `data` is empty where the key is absent."""

    code: int
    message: str = ""
    data: Raw = Raw()


_envelope = msgspec.json.Decoder(_Envelope)
_plain = msgspec.json.Decoder()


def promised(kind: type[T], refusals: Mapping[int, type] | None = None) -> Reader[T]:
    """A reader of replies whose `data` is a `kind`. Fields that `kind` does not have are ignored.

    `refusals` are the codes whose `data` has a type of its own; that of all others is plain JSON.
    """
    decoder = msgspec.json.Decoder(kind)

    def read(reply: Reply) -> T:
        data = _success(reply, refusals or {}).data
        if not bytes(data):
            raise _unreadable(reply, "a success without data")
        return _decoded(reply, decoder, data)

    return read


def nothing(reply: Reply) -> None:
    """A reader of replies of writes that return nothing."""
    _success(reply, {})


def upstat(reply: Reply) -> UpstatReply | None:
    """A reader of upstat: the empty object, which an anonymous viewer may get, is None. Contract: 6.3."""
    # Both types are objects without a tag, so that msgspec cannot tell them apart by itself.
    return None if _any(reply) == {} else _totals(reply)


_any = promised(dict[str, Any])
_totals = promised(UpstatReply)


def _success(reply: Reply, refusals: Mapping[int, type]) -> _Envelope:
    envelope = _decoded(reply, _envelope, reply.body)
    if envelope.code:
        raise _refusal(reply, envelope, refusals)
    if reply.status != _HTTP_OK:
        raise _unreadable(reply, "a success with another HTTP status than 200")
    return envelope


def _refusal(reply: Reply, envelope: _Envelope, refusals: Mapping[int, type]) -> Exception:
    """The exception that an envelope with a code stands for."""
    data = _refusal_data(reply, envelope, refusals)
    known = TABLE.get(envelope.code)
    if known is None:
        return UnknownCodeError(envelope.code, envelope.message, data, reply.status)
    if known is RateLimitedError:
        error: ContractError = RateLimitedError(_seconds(reply.headers.get("retry-after", "")))
    elif known is MethodNotAllowedError:
        allowed = reply.headers.get("allow", "").split(",")
        error = MethodNotAllowedError(method.strip() for method in allowed if method.strip())
    else:
        error = known(envelope.message)
    error.data, error.status = data, reply.status
    return error


def _refusal_data(reply: Reply, envelope: _Envelope, refusals: Mapping[int, type]) -> Any:
    """`data` of a refusal; None where it is absent."""
    if not bytes(envelope.data):
        return None
    data = _decoded(reply, _plain, envelope.data)
    try:
        return msgspec.convert(data, refusals.get(envelope.code, Any))
    except msgspec.ValidationError:
        # Whatever came along, it is the refusal that has to be told.
        return data


def _decoded(reply: Reply, decoder: "msgspec.json.Decoder[T]", text: bytes | Raw) -> T:
    try:
        return decoder.decode(text)
    # ValueError is what malformed JSON, wrong types and broken UTF-8 have in common.
    except (ValueError, RecursionError) as error:
        raise _unreadable(reply, str(error)) from error


def _unreadable(reply: Reply, reason: str) -> UnreadableReplyError:
    return UnreadableReplyError(reply.status, reason, reply.body[:BEGINNING_BYTES])


def _seconds(text: str) -> int:
    """A Retry-After in whole seconds; 0 where it says nothing of the kind."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _SECONDS_DIGITS_MAX else 0
