"""The station in front of an app that is controlled: the journal, faults, and what was recorded.

An app that is not controlled has no such station: see the doors.
"""

import re

from upspace.server.app import body_parameters, build_app
from upspace.server.control.clock import Clock
from upspace.server.control.faulty import faulty_response
from upspace.server.control.interface import Interface
from upspace.server.control.journal import Read
from upspace.server.control.rules import Target
from upspace.server.control.state import ControlState, Fill
from upspace.server.http import Request, Response
from upspace.server.settings import Settings
from upspace.server.viewer import bearer_token, presented, token_digest
from upspace.store.interface import Store, StoreError
from upspace.wire.control import CONTROL_PREFIX
from upspace.wire.errors import BadRequestError, UnavailableError
from upspace.wire.forms import parse_query, read_mids

_MICROSECONDS = 1_000_000

_OWN_PREFIX = "/-/"
_MID_PARAMETERS = ("mid", "vmid", "fid", "fids")
# An envelope, plain or in a call of a callback, which has at most 64 characters.
_CODE = re.compile(rb'[^{]{0,65}\{"code":(-?[0-9]{1,9}),')


class ControlledApp:
    """Stands in for an app at the doors."""

    def __init__(self, state: ControlState, interface: Interface) -> None:
        self.service = state.app.service
        self._app = state.app
        self._state = state
        self._interface = interface

    async def respond(self, request: Request) -> Response:
        """The reply to one request, and the manner in which it goes out. Nothing is raised."""
        path = request.path
        if path.startswith(CONTROL_PREFIX):
            return await self._interface.respond(request)
        if path.startswith(_OWN_PREFIX):
            return await self._app.respond(request)
        return await self._observed(request)

    async def _observed(self, request: Request) -> Response:
        state = self._state
        read = await self._read(request)
        asked = state.log.add(request, read, state.clock())
        if not self._app.answers(request.path):
            state.log.note_unknown(request.method, request.path)
        hit = state.rules.pick(_target(request.path, read))
        recorded = state.replay.answer(request.method, request.path, read.parameters) if hit is None else None
        if hit is not None:
            asked.answered_by = hit.rule.shape
            if await state.goes_on(hit.delay_s):
                response = await faulty_response(request, hit.rule, self._app.respond)
            else:
                # What it asks for or would change is gone, and whoever waits for it has mostly left.
                response = self._app.refused(UnavailableError(), request)
        elif recorded is not None:
            asked.answered_by, response = "replay", recorded
        else:
            response = await self._app.respond(request)
        if response.manner is None or not response.manner.reset:
            asked.status, asked.code = response.status, _code_of(response.body)
        return response

    async def _read(self, request: Request) -> Read:
        """What the app will read as well: there it costs nothing when nobody observes."""
        parameters = parse_query(request.query)
        if request.method == "POST":
            parameters |= body_parameters(request) or {}
        elif parameters.get("callback"):
            return Read(parameters, None, None)
        credential = presented(request, parameters)
        if credential is None:
            return Read(parameters, None, None)
        try:
            viewer = await self.service.store.viewer(token_digest(credential.token), int(self._state.clock()))
        except StoreError:
            # The app finds that out by itself, and says so.
            viewer = None
        if credential.by_cookie:
            return Read(parameters, viewer, "cookie")
        return Read(parameters, viewer, "authorization" if bearer_token(request) else "access_key")


async def build_controlled(store: Store, settings: Settings, fill: Fill) -> ControlledApp:
    """An app over `store` that goes by a clock of its own, with its control interface in front of it."""
    clock = Clock()
    # Rounded to what a float can tell apart in our days: a clock that goes on by a second shows a second more.
    app = build_app(store, settings, clock, limits_clock=lambda: round(clock() * _MICROSECONDS) * 1_000)
    state = ControlState(app, clock, fill)
    await state.begin()
    return ControlledApp(state, Interface(state, anywhere=settings.control_anywhere))


def _target(path: str, read: Read) -> Target:
    mids: set[int] = set()
    for name in _MID_PARAMETERS:
        try:
            mids.update(read_mids(read.parameters.get(name)))
        except BadRequestError:
            continue
    return Target(path, mids, 0 if read.viewer is None else read.viewer.mid)


def _code_of(body: bytes) -> int | None:
    found = _CODE.match(body)
    return None if found is None else int(found[1])
