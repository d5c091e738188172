"""This project's own paths, all under `/-/`, where they cannot meet those of the contract."""

from functools import lru_cache

import msgspec

from upspace import __version__
from upspace.server.faces import draw_face
from upspace.server.http import JSON_HEADERS, Request, Response
from upspace.wire import envelope
from upspace.wire.errors import MethodNotAllowedError
from upspace.wire.openapi import build_openapi

_OPENAPI = "/-/openapi.json"
_FACES = "/-/faces/"
_SVG_HEADERS = [("content-type", "image/svg+xml; charset=utf-8"), ("cache-control", "public, max-age=86400")]


@lru_cache(1)
def openapi_bytes() -> bytes:
    """The OpenAPI document, made when it is first asked for."""
    return msgspec.json.encode(build_openapi(__version__))


def own_reply(request: Request) -> Response | None:
    """The reply to a request for one of our own paths; None if there is no such path."""
    path = request.path
    face = _face_mid(path)
    if path != _OPENAPI and face is None:
        return None
    if request.method not in ("GET", "HEAD"):
        headers = [*JSON_HEADERS, ("allow", "GET, HEAD")]
        return Response(MethodNotAllowedError.status, headers, envelope.failure(MethodNotAllowedError))
    if face is not None:
        return Response(200, _SVG_HEADERS, draw_face(face))
    return Response(200, JSON_HEADERS, openapi_bytes())


def _face_mid(path: str) -> int | None:
    """The mid in `/-/faces/<mid>.svg`; 0 is the face of deleted accounts."""
    if not (path.startswith(_FACES) and path.endswith(".svg")):
        return None
    digits = path[len(_FACES) : -len(".svg")]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 19 else None
