"""The reply of a fault: its shape around the normal reply, or in place of it (contract, section 11)."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from upspace.server.http import JSON_HEADERS, JSONP_HEADERS, Manner, Request, Response
from upspace.wire import envelope, faults
from upspace.wire.control import FaultRule
from upspace.wire.errors import TABLE
from upspace.wire.faults import Shape
from upspace.wire.forms import parse_query


async def faulty_response(
    request: Request, rule: FaultRule, respond: Callable[[Request], Awaitable[Response]]
) -> Response:
    """What the rule makes of a request. `respond` gives the normal reply, and is asked only if that is part of it."""
    manner = _manner(rule)
    shape = rule.shape
    if shape is Shape.RESET:
        return Response(200, [], b"", Manner(reset=True))
    if shape is Shape.HTML:
        status = rule.status or faults.HTML_STATUSES[0]
        return Response(status, [("content-type", faults.HTML_TYPE)], faults.html_page(), manner)
    if shape is Shape.EMPTY:
        return Response(200, JSON_HEADERS, b"", manner)
    own = faults.refusal(TABLE[rule.code]) if rule.code is not None else faults.replies_of(uuid4()).get(shape)
    if own is not None:
        return _enveloped(request, *own, manner)
    normal = await respond(request)
    body = normal.body
    match shape:
        case Shape.NULL_LIST:
            return _enveloped(request, 200, faults.without_list(_plain(body)), manner)
        case Shape.GLUED:
            body = faults.glued(Shape(rule.first), body)
        case Shape.TRUNCATED:
            body = faults.truncated(body)
        case Shape.CUT_OFF:
            manner = Manner(rule.drip_bytes, rule.drip_pause_s, cut_at=len(faults.truncated(body)))
    return Response(normal.status, normal.headers, body, manner)


def _manner(rule: FaultRule) -> Manner | None:
    return None if rule.drip_bytes is None else Manner(rule.drip_bytes, rule.drip_pause_s)


def _enveloped(request: Request, status: int, body: bytes, manner: Manner | None) -> Response:
    """An envelope as the request wants it: plain, or as a call of its callback."""
    callback = parse_query(request.query).get("callback", "") if request.method in ("GET", "HEAD") else ""
    if callback and envelope.is_callback(callback):
        return Response(status, JSONP_HEADERS, envelope.jsonp(callback, body), manner)
    return Response(status, JSON_HEADERS, body, manner)


def _plain(body: bytes) -> bytes:
    """An envelope out of its callback, if it is in one."""
    return body if body.startswith(b"{") else body[body.find(b"(") + 1 : -1]
