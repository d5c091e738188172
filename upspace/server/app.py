"""The app: a request in, a reply out. The order of checks of the contract stands in `_answer`, top to bottom."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct

from upspace.server import accounts, relations
from upspace.server.http import JSON_HEADERS, JSONP_HEADERS, Request, Response
from upspace.server.own import own_reply
from upspace.server.service import Service
from upspace.server.settings import Settings
from upspace.server.viewer import presented_token, token_digest
from upspace.store.interface import Store, StoreError, StoreTimeoutError
from upspace.wire import envelope
from upspace.wire.endpoints import ENDPOINTS, Endpoint, Login
from upspace.wire.errors import (
    BadRequestError,
    ContractError,
    MethodNotAllowedError,
    NotFoundError,
    NotSignedInError,
    ServerFaultError,
    TimedOutError,
    UnavailableError,
)
from upspace.wire.forms import decoder, parse_query
from upspace.wire.profiles import Behaviour

log = logging.getLogger("upspace")

Handler = Callable[[Service, Any, Any], Awaitable[Any]]

HANDLERS: dict[str, Handler] = {
    "acc_info": accounts.acc_info,
    "card": accounts.card,
    "upstat": accounts.upstat,
    "relation_stat": relations.relation_stat,
    "followers": relations.followers,
    "followings": relations.followings,
    "fans": relations.fans,
    "nav": accounts.nav,
    "myinfo": accounts.myinfo,
    "finger_spi": accounts.finger_spi,
    "ex_climb_wuzhi": accounts.ex_climb_wuzhi,
}


class Route(Struct, frozen=True):
    """One endpoint, ready to be called."""

    methods: frozenset[str]
    login: bool
    decode: Callable[[Mapping[str, str]], Struct]
    handler: Handler
    message: str


class App:
    """Answers requests out of one store. Doors hand it requests and send what it returns."""

    def __init__(self, service: Service, routes: dict[str, Route]) -> None:
        self.service = service
        self._routes = routes

    async def respond(self, request: Request) -> Response:
        """The reply to one request. Nothing is raised: a fault becomes an envelope and an entry in the log."""
        route = self._routes.get(request.path)
        if route is None and (own := own_reply(request)) is not None:
            return own
        query = parse_query(request.query)
        callback = query.get("callback", "") if request.method in ("GET", "HEAD") else ""
        status = 200
        headers: list[tuple[str, str]] = []
        try:
            body = await self._answer(route, request, query, callback)
        except Exception as error:
            refusal = _refusal(error, request)
            body, status = envelope.failure(refusal), refusal.status
            headers = self._allow(request, refusal)
        if not callback or not envelope.is_callback(callback):
            return Response(status, JSON_HEADERS + headers, body)
        return Response(status, JSONP_HEADERS + headers, envelope.jsonp(callback, body))

    def _allow(self, request: Request, refusal: ContractError) -> list[tuple[str, str]]:
        """The header that HTTP asks of a 405."""
        if not isinstance(refusal, MethodNotAllowedError):
            return []
        return [("allow", ", ".join(sorted(self._routes[request.path].methods)))]

    async def _answer(self, route: Route | None, request: Request, query: Mapping[str, str], callback: str) -> bytes:
        """The envelope of a success; every refusal is raised. Contract: 3, order of checks."""
        if route is None:
            raise NotFoundError(status=404)
        if request.method not in route.methods:
            raise MethodNotAllowedError
        if callback and not envelope.is_callback(callback):
            raise BadRequestError("not a callback name")
        service = self.service
        token = None if callback else presented_token(request, query)
        viewer = None
        if token is not None:
            viewer = await service.store.viewer(token_digest(token), int(service.clock()))
        if viewer is None and route.login:
            raise NotSignedInError
        parameters = route.decode(query)
        data = await route.handler(service, viewer, parameters)
        if route.message != envelope.SUCCESS_MESSAGE:
            return envelope.answer(0, route.message, data)
        return envelope.success(data)


def _refusal(error: Exception, request: Request) -> ContractError:
    """What the client is told. A fault of the store or of our own is logged, without query or headers: no secrets."""
    if isinstance(error, ContractError):
        return error
    if isinstance(error, StoreError):
        log.error("%s %s: %s", request.method, request.path, error)
        return TimedOutError() if isinstance(error, StoreTimeoutError) else UnavailableError()
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return ServerFaultError()


def build_app(store: Store, settings: Settings, clock: Callable[[], float] = time.time) -> App:
    """An app over `store`. `clock` gives unix seconds."""
    routes = {}
    for endpoint in ENDPOINTS:
        route = _route(endpoint, settings.behaviour)
        routes.update(dict.fromkeys(endpoint.paths, route))
    return App(Service(store, settings, clock), routes)


def _route(endpoint: Endpoint, behaviour: Behaviour) -> Route:
    return Route(
        methods=frozenset({"GET", "HEAD"} if endpoint.method == "GET" else {endpoint.method}),
        login=endpoint.login is Login.REQUIRED or (endpoint.login is Login.LISTS and behaviour.lists_need_login),
        decode=decoder(endpoint.parameters),
        handler=HANDLERS[endpoint.name],
        message=endpoint.message,
    )
