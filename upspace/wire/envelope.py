"""The envelope around every reply (contract, section 2), and its JSONP form."""

import re
from typing import Any

import msgspec

from upspace.wire.errors import ContractError

JSON_TYPE = "application/json; charset=utf-8"
JAVASCRIPT_TYPE = "application/javascript; charset=utf-8"

SUCCESS_MESSAGE = "0"

_encode = msgspec.json.Encoder().encode
_CALLBACK = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.]{0,63}")
_SUCCESS = b'{"code":0,"message":"0","ttl":1,"data":'
_UNSAFE = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


def success(data: Any) -> bytes:
    """The envelope of code 0 around `data`: a reply object, or bytes that are its JSON already."""
    return b"".join((_SUCCESS, data if isinstance(data, bytes) else _encode(data), b"}"))


def answer(code: int, message: str, data: Any = None) -> bytes:
    """An envelope with any code and message; without `data` the key is absent."""
    parts = [b'{"code":%d,"message":' % code, _encode(message), b',"ttl":1']
    if data is not None:
        parts += [b',"data":', _encode(data)]
    parts.append(b"}")
    return b"".join(parts)


def failure(error: ContractError | type[ContractError]) -> bytes:
    """The envelope of a refusal."""
    return answer(error.code, error.message, getattr(error, "data", None))


def is_callback(name: str) -> bool:
    """Whether `name` may be a JSONP callback. Contract: 2.7."""
    return _CALLBACK.fullmatch(name) is not None


def jsonp(callback: str, envelope: bytes) -> bytes:
    """The envelope as a call of `callback`, safe to stand in a script. Contract: 2.6, 2.7."""
    # These characters occur in JSON inside of strings only, so a replacement over the whole text is exact.
    for raw, escaped in _UNSAFE:
        envelope = envelope.replace(raw, escaped)
    return b"".join((callback.encode(), b"(", envelope, b")"))
