"""The control interface: what tests do to the server they run against (docs/control.md).

Replies are envelopes, and a refusal says in `data.reason` why.
"""

import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from upspace.model import Profile, Relation
from upspace.records import profile_of
from upspace.server.admin import ACCOUNT_HANDLERS
from upspace.server.admin import Handler as AccountHandler
from upspace.server.control.access import check_access
from upspace.server.control.replay import Replay
from upspace.server.control.state import ControlState, absent
from upspace.server.http import BODY_MAX_BYTES, JSON_HEADERS, Request, Response
from upspace.server.tokens import issue_token
from upspace.store.interface import AccountDeletedError, StoreError, StoreTimeoutError, StoreUnavailableError
from upspace.wire import envelope
from upspace.wire.admin import IssuedToken, Reason
from upspace.wire.control import (
    CONTROL_PREFIX,
    DIRECT_PREFIX,
    TIME_MAX_S,
    Advance,
    ClockState,
    CommunityRequest,
    FaultRule,
    FaultState,
    Journal,
    Loaded,
    LoadRequest,
    Name,
    ReplayRequest,
    SnapshotState,
    TokenOrder,
    Unimplemented,
    read_control,
)
from upspace.wire.errors import BadRequestError, MethodNotAllowedError, NotFoundError, TargetDeletedError
from upspace.wire.forms import parse_query, read_mid
from upspace.wire.record import decode_json, read_record

S = TypeVar("S", bound=Struct)

_DIGITS_MAX = 18
_DIRECT = DIRECT_PREFIX + "/"


class Interface:
    """Answers requests under CONTROL_PREFIX. Unless `anywhere`, only programs on this machine may ask."""

    def __init__(self, state: ControlState, *, anywhere: bool) -> None:
        self._state = state
        self._anywhere = anywhere
        # For a test's own look at the world: it uses up nothing of what the program under test may ask for.
        self._direct = state.app.unlimited()

    async def respond(self, request: Request) -> Response:
        """The reply to a request under CONTROL_PREFIX. Nothing is raised."""
        try:
            if not self._anywhere:
                check_access(request)
            if request.path.startswith(_DIRECT):
                direct = msgspec.structs.replace(request, path=request.path.removeprefix(DIRECT_PREFIX))
                return await self._direct.respond(direct)
            data = await self._answer(request)
            return Response(200, JSON_HEADERS, envelope.answer(0, envelope.SUCCESS_MESSAGE, data))
        except Exception as error:
            return self._state.app.refused(_explained(error), request)

    async def _answer(self, request: Request) -> Any:
        found, handlers = _found(request.path)
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise MethodNotAllowedError(handlers)
        if request.body is None:
            raise BadRequestError(f"the body is larger than {BODY_MAX_BYTES} bytes")
        name = found[1] if found.re.groups else ""
        return await handler(self._state, _Call(name, request.query, request.body))


class _Call(NamedTuple):
    """What a handler is given: the part of the path that is a name or an id, the query, the body."""

    name: str
    query: str
    body: bytes

    def read(self, struct: type[S]) -> S:
        """The body as a struct; none at all is an empty object."""
        return read_control(decode_json(self.body) if self.body else {}, struct)

    @property
    def id(self) -> int:
        """The name as a number; 0, which nothing is numbered by, if it is none."""
        return _number(self.name) or 0

    @property
    def since(self) -> int:
        """The number of a request in the query."""
        text = parse_query(self.query).get("since", "0")
        number = _number(text)
        if number is None:
            raise BadRequestError(f"since: {text[:40]!r} is no number of a request")
        return number


async def _reset(state: ControlState, call: _Call) -> None:
    await state.reset()


async def _load(state: ControlState, call: _Call) -> Loaded:
    """Add accounts and relations, all or nothing."""
    asked = call.read(LoadRequest)
    taken = {record["mid"] for record in asked.accounts if isinstance(record, dict) and "mid" in record}
    profiles: dict[int, Profile] = {}
    for place, record in enumerate(asked.accounts):
        try:
            profile = await _profile(state, record, taken)
            mid = profile.account.mid
            if mid in profiles:
                raise BadRequestError(f"account {mid} is given twice")
            if not asked.replace and await state.store.standing(mid) is not None:
                raise BadRequestError(f"account {mid} is there already")
        except BadRequestError as error:
            raise BadRequestError(f"accounts[{place}]: {error}") from None
        profiles[mid] = profile
    now = int(state.clock())
    relations = [
        Relation(each.owner, each.other, each.attribute, now if each.mtime is None else each.mtime)
        for each in asked.relations
    ]
    await state.store.load(profiles.values(), relations)
    return Loaded(list(profiles), len(relations))


async def _profile(state: ControlState, record: Any, taken: Collection[Any]) -> Profile:
    """What a record says; one without a mid gets one that no account has, and none of `taken`."""
    if isinstance(record, dict) and "mid" not in record:
        record = {"mid": await state.free_mid(taken), **record}
    return profile_of(read_record(record))


async def _make_community(state: ControlState, call: _Call) -> None:
    try:
        await state.fill(state.store, call.read(CommunityRequest))
    except ValueError as error:
        raise BadRequestError(str(error)) from None


async def _issue_token(state: ControlState, call: _Call) -> IssuedToken:
    asked = call.read(TokenOrder)
    return await issue_token(state.store, asked.mid, int(state.clock()), asked.expires_s, "")


async def _show_clock(state: ControlState, call: _Call) -> ClockState:
    return state.clock.state


async def _set_clock(state: ControlState, call: _Call) -> ClockState:
    state.clock.set(call.read(ClockState))
    # What rate limits remember may now be of a time to come.
    state.app.forget()
    return state.clock.state


async def _advance_clock(state: ControlState, call: _Call) -> ClockState:
    seconds = call.read(Advance).seconds
    if state.clock() + seconds > TIME_MAX_S:
        raise BadRequestError(f"seconds: the clock would show more than {TIME_MAX_S}")
    state.clock.advance(seconds)
    return state.clock.state


async def _list_snapshots(state: ControlState, call: _Call) -> list[SnapshotState]:
    return state.snapshots()


async def _take_snapshot(state: ControlState, call: _Call) -> SnapshotState:
    try:
        name = msgspec.convert(call.name, Name)
    except msgspec.ValidationError:
        raise BadRequestError("the name of a snapshot has 1 to 100 letters, digits and _ . -") from None
    return await state.take_snapshot(name)


async def _delete_snapshot(state: ControlState, call: _Call) -> None:
    state.delete_snapshot(call.name)


async def _restore_snapshot(state: ControlState, call: _Call) -> None:
    await state.restore_snapshot(call.name)


async def _list_faults(state: ControlState, call: _Call) -> list[FaultState]:
    return state.rules.all()


async def _add_fault(state: ControlState, call: _Call) -> FaultState:
    return state.rules.add(call.read(FaultRule))


async def _clear_faults(state: ControlState, call: _Call) -> None:
    state.rules.clear()


async def _show_fault(state: ControlState, call: _Call) -> FaultState:
    fault = state.rules.one(call.id)
    if fault is None:
        raise absent(f"fault {call.name}")
    return fault


async def _remove_fault(state: ControlState, call: _Call) -> None:
    if not state.rules.remove(call.id):
        raise absent(f"fault {call.name}")


async def _show_requests(state: ControlState, call: _Call) -> Journal:
    return state.log.journal(call.since)


async def _clear_requests(state: ControlState, call: _Call) -> None:
    state.log.clear()


async def _show_unimplemented(state: ControlState, call: _Call) -> list[Unimplemented]:
    return state.log.unimplemented()


async def _add_replies(state: ControlState, call: _Call) -> None:
    state.replay.add(call.read(ReplayRequest).pairs)


async def _clear_replies(state: ControlState, call: _Call) -> None:
    state.replay = Replay()


Handler = Callable[[ControlState, _Call], Awaitable[Any]]


def _of_account(handle: AccountHandler) -> Handler:
    """What the admin interface does to an account, for whoever may control the server."""

    async def handler(state: ControlState, call: _Call) -> Any:
        try:
            return await handle(state.app.service, read_mid(call.name), call.body)
        except AccountDeletedError:
            raise TargetDeletedError from None

    return handler


_HANDLERS: dict[str, dict[str, Handler]] = {
    "reset": {"POST": _reset},
    "load": {"POST": _load},
    "accounts/{mid}": {method: _of_account(handle) for method, handle in ACCOUNT_HANDLERS.items() if method != "HEAD"},
    "community": {"POST": _make_community},
    "tokens": {"POST": _issue_token},
    "clock": {"GET": _show_clock, "PUT": _set_clock},
    "clock/advance": {"POST": _advance_clock},
    "snapshots": {"GET": _list_snapshots},
    "snapshots/{name}": {"PUT": _take_snapshot, "DELETE": _delete_snapshot},
    "snapshots/{name}/restore": {"POST": _restore_snapshot},
    "faults": {"GET": _list_faults, "POST": _add_fault, "DELETE": _clear_faults},
    "faults/{id}": {"GET": _show_fault, "DELETE": _remove_fault},
    "requests": {"GET": _show_requests, "DELETE": _clear_requests},
    "unimplemented": {"GET": _show_unimplemented},
    "replay": {"POST": _add_replies, "DELETE": _clear_replies},
}

_PATHS = [
    (re.compile(re.escape(CONTROL_PREFIX) + re.sub(r"\{[a-z]+\}", "([^/]+)", path)), handlers)
    for path, handlers in _HANDLERS.items()
]

CONTROL_PATHS = tuple((method, CONTROL_PREFIX + path) for path, of in _HANDLERS.items() for method in of)
"""Every method and path of the interface."""


def _found(path: str) -> tuple[re.Match[str], dict[str, Handler]]:
    for pattern, handlers in _PATHS:
        if found := pattern.fullmatch(path):
            return found, handlers
    raise NotFoundError(status=404)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else None


def _explained(error: Exception) -> Exception:
    """The same error as one that tells the client why, if it is the client's: only who tests reads these replies."""
    if isinstance(error, (StoreUnavailableError, StoreTimeoutError)):
        return error
    if isinstance(error, (BadRequestError, StoreError)):
        return BadRequestError(str(error), data=Reason(str(error)))
    return error
