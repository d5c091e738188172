"""The app: a request in, a reply out. The order of checks of the contract stands in `_answer`, top to bottom."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from typing import Any

from msgspec import Struct

from upspace.model import AccountState, Viewer
from upspace.server import accounts, groups, pairs, relations
from upspace.server.admin import ADMIN_PREFIX, Admin
from upspace.server.faultlog import FaultLog
from upspace.server.http import FORM_MAX_BYTES, JSON_HEADERS, JSONP_HEADERS, Request, Response
from upspace.server.limits import Limiter, Limits, Table, client_address
from upspace.server.own import own_reply
from upspace.server.service import Service
from upspace.server.settings import Settings
from upspace.server.viewer import check_csrf, presented, token_digest
from upspace.store.interface import AccountDeletedError, Store, StoreError, StoreTimeoutError
from upspace.wire import envelope
from upspace.wire.body import parse_body
from upspace.wire.endpoints import ENDPOINTS, Endpoint, Login
from upspace.wire.errors import (
    BadRequestError,
    ContractError,
    MethodNotAllowedError,
    NotFoundError,
    NotSignedInError,
    RateLimitedError,
    ServerFaultError,
    TimedOutError,
    UnavailableError,
    ViewerSuspendedError,
)
from upspace.wire.forms import decoder, parse_query

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
    "relation": pairs.relation,
    "relations": pairs.relations,
    "acc_relation": pairs.acc_relation,
    "search_followings": relations.search_followings,
    "same_followings": relations.same_followings,
    "whispers": relations.whispers,
    "friends": relations.friends,
    "blacks": relations.blacks,
    "modify": pairs.modify,
    "batch_modify": pairs.batch_modify,
    "groups": groups.groups,
    "group_members": groups.group_members,
    "groups_of": groups.groups_of,
    "special": groups.special,
    "create_group": groups.create_group,
    "rename_group": groups.rename_group,
    "delete_group": groups.delete_group,
    "set_members": groups.set_members,
    "copy_members": groups.copy_members,
    "move_members": groups.move_members,
}

# What the form of a parameter cannot say, checked along with the forms.
CHECKS: dict[str, Callable[[Service, Any], None]] = {"modify": pairs.check_act}


class Route(Struct, frozen=True):
    """One endpoint, ready to be called."""

    methods: frozenset[str]
    login: bool
    write: bool
    decode: Callable[[Mapping[str, str]], Struct]
    check: Callable[[Service, Any], None] | None
    handler: Handler
    message: str


class App:
    """Answers requests out of one store. Doors hand it requests and send what it returns."""

    def __init__(
        self,
        service: Service,
        routes: dict[str, Route],
        limiter: Limiter | None,
        admin: Admin | None,
        *,
        trust_forwarded: bool,
    ) -> None:
        self.service = service
        self._routes = routes
        self._limiter = limiter
        self._admin = admin
        self._trust_forwarded = trust_forwarded
        self._faults = FaultLog()

    def answers(self, path: str) -> bool:
        """Whether the contract has an endpoint at `path`."""
        return path in self._routes

    def unlimited(self) -> "App":
        """The same app, for requests to which no rate limit applies."""
        return App(self.service, self._routes, None, self._admin, trust_forwarded=self._trust_forwarded)

    def forget(self) -> None:
        """Forget what is kept of accounts, replies and clients: the store is another one now, or the time."""
        self.service.accounts.clear()
        self.service.replies.clear()
        if self._limiter is not None:
            self._limiter.clear()

    async def respond(self, request: Request) -> Response:
        """The reply to one request. Nothing is raised: a fault becomes an envelope and an entry in the log."""
        route = self._routes.get(request.path)
        if route is None and (own := await self._own_reply(request)) is not None:
            return own
        query = parse_query(request.query)
        callback = query.get("callback", "") if request.method in ("GET", "HEAD") else ""
        status = 200
        headers: list[tuple[str, str]] = []
        try:
            body = await self._answer(route, request, query, callback)
        except Exception as error:
            refusal = _refusal(error, request, self._faults)
            body, status = envelope.failure(refusal), refusal.status
            headers = _headers_of(refusal)
        if not callback or not envelope.is_callback(callback):
            # The very list of all plain replies, by which the door knows them.
            return Response(status, JSON_HEADERS + headers if headers else JSON_HEADERS, body)
        return Response(status, JSONP_HEADERS + headers, envelope.jsonp(callback, body))

    async def _own_reply(self, request: Request) -> Response | None:
        """The reply to a request for one of our own paths, None if there is no such path. No rate limit applies."""
        if self._admin is None or not request.path.startswith(ADMIN_PREFIX):
            return own_reply(request)
        try:
            return Response(200, JSON_HEADERS, await self._admin.answer(request))
        except Exception as error:
            return self.refused(error, request)

    def refused(self, error: Exception, request: Request) -> Response:
        """The reply to a request for one of our own paths that ended in an error."""
        refusal = _refusal(error, request, self._faults)
        return Response(refusal.status, JSON_HEADERS + _headers_of(refusal), envelope.failure(refusal))

    async def _answer(  # noqa: C901  # the order of checks is one list
        self, route: Route | None, request: Request, query: Mapping[str, str], callback: str
    ) -> bytes:
        """The envelope of a success; every refusal is raised. Contract: 3, order of checks."""
        service = self.service
        write = route is not None and route.write
        body = body_parameters(request) if write else None
        parameters = {**query, **body} if body else query
        credential = None if callback else presented(request, parameters)
        viewer = None
        if credential is not None:
            viewer = await service.store.viewer(token_digest(credential.token), int(service.clock()))
        if self._limiter is not None:
            self._check_rate(self._limiter, request, viewer, write)
        if route is None:
            raise NotFoundError(status=404)
        if request.method not in route.methods:
            raise MethodNotAllowedError(route.methods)
        if callback and not envelope.is_callback(callback):
            raise BadRequestError("not a callback name")
        if viewer is None and route.login:
            raise NotSignedInError
        if write and credential is not None:
            check_csrf(credential, parameters)
        if write and body is None:
            raise BadRequestError("the body is too large, or not what its type says")
        decoded = route.decode(parameters)
        if route.check is not None:
            route.check(service, decoded)
        if write and viewer is not None and viewer.state is AccountState.SUSPENDED:
            raise ViewerSuspendedError
        data = await route.handler(service, viewer, decoded)
        if data is None or route.message != envelope.SUCCESS_MESSAGE:
            return envelope.answer(0, route.message, data)
        return envelope.success(data)

    def _check_rate(self, limiter: Limiter, request: Request, viewer: Viewer | None, write: bool) -> None:
        forwarded = request.header_lines("x-forwarded-for") if self._trust_forwarded else ()
        address = client_address(request.peer, forwarded, self._trust_forwarded)
        wait_s = limiter.wait_s(address, None if viewer is None else viewer.mid, write)
        if wait_s > 0:
            raise RateLimitedError(ceil(wait_s))


def body_parameters(request: Request) -> Mapping[str, str] | None:
    """The parameters in the body of a write; None if it cannot be read. Contract: 2.2."""
    if request.body is None or len(request.body) > FORM_MAX_BYTES:
        return None
    try:
        return parse_body(request.header("content-type"), request.body) if request.body else {}
    except BadRequestError:
        return None


def _headers_of(refusal: ContractError) -> list[tuple[str, str]]:
    """What HTTP asks of a 405, and what tells a client when to come again."""
    if isinstance(refusal, MethodNotAllowedError):
        return [("allow", ", ".join(refusal.allowed))]
    if isinstance(refusal, RateLimitedError):
        return [("retry-after", str(refusal.retry_after_s))]
    return []


def _refusal(error: Exception, request: Request, faults: FaultLog) -> ContractError:
    """What the client is told. A fault of the store or of our own is logged, without query or headers: no secrets."""
    if isinstance(error, ContractError):
        return error
    if isinstance(error, AccountDeletedError):
        # The viewer was there when its token was looked up.
        return NotSignedInError()
    if isinstance(error, StoreError):
        faults.note(request, error)
        return TimedOutError() if isinstance(error, StoreTimeoutError) else UnavailableError()
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return ServerFaultError()


def build_app(
    store: Store,
    settings: Settings,
    clock: Callable[[], float] = time.time,
    table: Table | None = None,
    limits_clock: Callable[[], int] = time.monotonic_ns,
) -> App:
    """An app over `store`. `clock` gives unix seconds.

    `table` is where rate limits are counted, its own if None, and `limits_clock` what they go by, in nanoseconds.
    """
    routes = {}
    for endpoint in ENDPOINTS:
        route = _route(endpoint, settings)
        routes.update(dict.fromkeys(endpoint.paths, route))
    limits = settings.limits()
    limiter = None if limits == Limits() else Limiter(limits, table or Table.private(), limits_clock)
    service = Service(store, settings, clock)
    admin = Admin(service, settings.admin_token) if settings.admin_token else None
    return App(service, routes, limiter, admin, trust_forwarded=settings.trust_forwarded)


def _route(endpoint: Endpoint, settings: Settings) -> Route:
    return Route(
        methods=frozenset({"GET", "HEAD"} if endpoint.method == "GET" else {endpoint.method}),
        login=endpoint.login is Login.REQUIRED
        or (endpoint.login is Login.LISTS and settings.behaviour.lists_need_login),
        write=endpoint.write,
        decode=decoder(endpoint.parameters, settings.quotas),
        check=CHECKS.get(endpoint.name),
        handler=HANDLERS[endpoint.name],
        message=endpoint.message,
    )
