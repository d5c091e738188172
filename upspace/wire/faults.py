"""What fault injection can send in place of, or around, a normal reply (contract, section 11).

A shape says what a client receives; when it is sent is said by a rule (`wire/control.py`).
"""

from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from upspace.wire import envelope
from upspace.wire.errors import (
    ContractError,
    ForbiddenError,
    IllegalAccessError,
    InterceptedError,
    NotSignedInError,
    RateLimitedError,
    RiskControlError,
    ServerFaultError,
    TimedOutError,
    TooFrequentError,
    UnavailableError,
)

BUSY_CODE: Final = -8888
BUSY_MESSAGE: Final = "对不起，服务器开小差了~ (ಥ﹏ಥ)"
BANNED_MESSAGE: Final = "request was banned"

HTML_TYPE: Final = "text/html; charset=utf-8"
HTML_STATUSES: Final = (412, 404)
"""The HTTP statuses that the page may come with; the first is the default."""

_HTML = (
    "<!DOCTYPE html>\n"
    '<html lang="zh-CN"><head><meta charset="utf-8"><title>出错啦!</title></head>'
    "<body><h1>出错啦!</h1><p>由于触发安全策略，该请求已被拒绝。</p></body></html>\n"
).encode()


class Shape(StrEnum):
    """The names of section 11, and below them two that are this server's own."""

    RISK = "risk"
    INTERCEPTED = "intercepted"
    BANNED = "banned"
    FREQUENT = "frequent"
    LIMITED = "limited"
    GLUED = "glued"
    ILLEGAL = "illegal"
    FORBIDDEN = "forbidden"
    LOGGED_OUT = "logged_out"
    BUSY = "busy"
    ERROR = "error"
    OVERLOAD = "overload"
    TIMEOUT = "timeout"
    HTML = "html"
    EMPTY_DATA = "empty_data"
    NULL_DATA = "null_data"
    NULL_LIST = "null_list"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    RESET = "reset"
    SLOW = "slow"
    REFUSAL = "refusal"
    CUT_OFF = "cut_off"


SUMMARIES: dict[Shape, str] = {
    Shape.RISK: "-352 with a `v_voucher` in `data`: an error with data of another shape",
    Shape.INTERCEPTED: "-412 with HTTP 412, `data` null",
    Shape.BANNED: "-412 with HTTP 412 and the message `request was banned`",
    Shape.FREQUENT: "-799",
    Shape.LIMITED: "-509",
    Shape.GLUED: "the body of `frequent` or `limited`, directly followed by the normal one: no JSON any more",
    Shape.ILLEGAL: "-401 with `ga_data` in `data`",
    Shape.FORBIDDEN: "-403",
    Shape.LOGGED_OUT: "-101, although the credentials are valid",
    Shape.BUSY: "-8888",
    Shape.ERROR: "-500 with HTTP 500",
    Shape.OVERLOAD: "-503 with HTTP 503",
    Shape.TIMEOUT: "-504 with HTTP 504",
    Shape.HTML: "a short HTML page with HTTP 412 or 404",
    Shape.EMPTY_DATA: "code 0 with `data` {}",
    Shape.NULL_DATA: "code 0 with `data` null",
    Shape.NULL_LIST: "code 0 with `list` null",
    Shape.TRUNCATED: "the first half of the normal body, complete as far as HTTP knows",
    Shape.EMPTY: "HTTP 200 without a body",
    Shape.RESET: "the connection is closed before a reply",
    Shape.SLOW: "the normal reply, delayed or in drips",
    Shape.REFUSAL: "any code of the error table",
    Shape.CUT_OFF: "the first half of the normal body, then the connection is closed although more was promised",
}
"""What a client receives, for each shape."""


class Voucher(Struct, frozen=True):
    """`data` of `risk`."""

    v_voucher: str


class GaData(Struct, frozen=True):
    """What risk control tells with -401."""

    decisions: list[str]
    risk_level: int
    grisk_id: str
    decision_ctx: dict[str, str]


class Illegal(Struct, frozen=True):
    """`data` of `illegal`."""

    ga_data: GaData


_ILLEGAL = Illegal(
    GaData(
        decisions=["verify_captcha_level2"],
        risk_level=1,
        grisk_id="00000000000000000000000000000000",
        decision_ctx={"buvid": "", "ip": "127.0.0.1"},
    )
)

_REFUSALS: dict[Shape, type[ContractError]] = {
    Shape.FREQUENT: RateLimitedError,
    Shape.LIMITED: TooFrequentError,
    Shape.FORBIDDEN: ForbiddenError,
    Shape.LOGGED_OUT: NotSignedInError,
    Shape.ERROR: ServerFaultError,
    Shape.OVERLOAD: UnavailableError,
    Shape.TIMEOUT: TimedOutError,
}
"""The shapes that are a code, its message, and nothing else."""

_WITH_NULL = b',"ttl":1,"data":null}'


def refusal(error: type[ContractError]) -> tuple[int, bytes]:
    """HTTP status and body of a refusal without data."""
    return error.status, envelope.failure(error)


def _null_data(code: int, message: str) -> bytes:
    return envelope.answer(code, message).removesuffix(b',"ttl":1}') + _WITH_NULL


def replies_of(voucher: UUID) -> dict[Shape, tuple[int, bytes]]:
    """HTTP status and body of every shape that is an envelope of its own, whatever the normal reply would be."""
    replies = {shape: refusal(error) for shape, error in _REFUSALS.items()}
    risk, illegal = RiskControlError, IllegalAccessError
    replies[Shape.RISK] = 200, envelope.answer(risk.code, risk.message, Voucher(f"voucher_{voucher}"))
    replies[Shape.ILLEGAL] = 200, envelope.answer(illegal.code, illegal.message, _ILLEGAL)
    replies[Shape.INTERCEPTED] = 412, _null_data(InterceptedError.code, InterceptedError.message)
    replies[Shape.BANNED] = 412, envelope.answer(InterceptedError.code, BANNED_MESSAGE)
    replies[Shape.BUSY] = 200, envelope.answer(BUSY_CODE, BUSY_MESSAGE)
    replies[Shape.EMPTY_DATA] = 200, envelope.success(b"{}")
    replies[Shape.NULL_DATA] = 200, _null_data(0, envelope.SUCCESS_MESSAGE)
    return replies


def html_page() -> bytes:
    """The body of `html`."""
    return _HTML


def glued(first: Shape, normal: bytes) -> bytes:
    """The body of `frequent` or `limited`, and the normal one directly behind it."""
    return envelope.failure(_REFUSALS[first]) + normal


def truncated(normal: bytes) -> bytes:
    """The first half of a body."""
    return normal[: len(normal) // 2]


def without_list(normal: bytes) -> bytes:
    """A normal body with `list` null; where there is no list, the body of an empty one with null in its place."""
    try:
        value: dict[str, Any] = msgspec.json.decode(normal, type=dict[str, Any])
    except msgspec.DecodeError:
        value = {}
    data = value.get("data")
    if value.get("code") != 0 or not isinstance(data, dict) or "list" not in data:
        data = {"list": None, "re_version": 0, "total": 0}
    return envelope.success({**data, "list": None})
