"""What a controlled server remembers besides its store, and snapshots of all of it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import NamedTuple

from upspace.server.app import App
from upspace.server.control.clock import Clock
from upspace.server.control.journal import RequestLog
from upspace.server.control.replay import Replay
from upspace.server.control.rules import Rules
from upspace.store.interface import Store, StoreLastsError
from upspace.wire.admin import Reason
from upspace.wire.control import CommunityRequest, SnapshotState
from upspace.wire.errors import BadRequestError, NotFoundError

Fill = Callable[[Store, CommunityRequest], Awaitable[None]]
"""Puts a synthetic community into an empty store. Raises ValueError that says why it cannot."""

_SNAPSHOTS_MAX = 1_000
_FIRST_MID = 10_001


class _Snapshot(NamedTuple):
    """What a controlled server was at some time; the journal is no part of it."""

    store: bytes
    clock: Clock
    rules: Rules
    replay: Replay
    next_mid: int
    taken: float


class ControlState:
    """The state of one controlled server, and of its app, which goes by `clock`."""

    def __init__(self, app: App, clock: Clock, fill: Fill) -> None:
        self.app = app
        self.clock = clock
        self.fill = fill
        self.rules = Rules()
        self.log = RequestLog()
        self.replay = Replay()
        self._snapshots: dict[str, _Snapshot] = {}
        self._start: _Snapshot | None = None
        self._gone_back = asyncio.Event()
        self._next_mid = _FIRST_MID

    @property
    def store(self) -> Store:
        """The store of the app."""
        return self.app.service.store

    async def begin(self) -> None:
        """Remember what the server is now, for `reset`. A store that lasts cannot be reset."""
        try:
            self._start = await self._taken()
        except StoreLastsError:
            self._start = None

    async def reset(self) -> None:
        """Be as at the start; snapshots stay. Raises StoreLastsError."""
        if self._start is None:
            raise StoreLastsError(self.store.url)
        await self._go_back_to(self._start)

    def snapshots(self) -> list[SnapshotState]:
        """Every snapshot, oldest name first."""
        return [_state(name, kept) for name, kept in self._snapshots.items()]

    async def take_snapshot(self, name: str) -> SnapshotState:
        """Remember what the server is now; one of the same name is forgotten. Raises StoreLastsError."""
        if name not in self._snapshots and len(self._snapshots) >= _SNAPSHOTS_MAX:
            raise BadRequestError(f"there are {_SNAPSHOTS_MAX} snapshots: delete some")
        taken = self._snapshots[name] = await self._taken()
        return _state(name, taken)

    async def restore_snapshot(self, name: str) -> None:
        """Be what the server was. The journal begins anew. Raises NotFoundError for a name that is not there."""
        if name not in self._snapshots:
            raise absent(f"snapshot {name}")
        await self._go_back_to(self._snapshots[name])

    def delete_snapshot(self, name: str) -> None:
        """Forget a snapshot. Raises NotFoundError for a name that is not there."""
        if self._snapshots.pop(name, None) is None:
            raise absent(f"snapshot {name}")

    async def free_mid(self, taken: Collection[object]) -> int:
        """A mid that no account has, which is none of `taken` and is not given again."""
        while self._next_mid in taken or await self.store.standing(self._next_mid) is not None:
            self._next_mid += 1
        self._next_mid += 1
        return self._next_mid - 1

    async def goes_on(self, seconds: float) -> bool:
        """Wait; False, and at once, if meanwhile the server is taken back to what it was."""
        gone_back = self._gone_back
        with suppress(TimeoutError):
            await asyncio.wait_for(gone_back.wait(), seconds)
        return not gone_back.is_set()

    async def _taken(self) -> _Snapshot:
        store = await self.store.snapshot()
        return _Snapshot(store, self.clock.copy(), self.rules.copy(), self.replay.copy(), self._next_mid, self.clock())

    async def _go_back_to(self, snapshot: _Snapshot) -> None:
        await self.store.restore(snapshot.store)
        self._gone_back.set()
        self._gone_back = asyncio.Event()
        self.clock.show(snapshot.clock)
        rules_before, self.rules = self.rules, snapshot.rules.copy()
        self.rules.go_on_from(rules_before)
        self.replay = snapshot.replay.copy()
        self._next_mid = snapshot.next_mid
        self.log.clear()
        self.app.forget()


def absent(what: str) -> NotFoundError:
    """The refusal for something that is not there, which says what."""
    return NotFoundError(data=Reason(f"there is no {what}"))


def _state(name: str, snapshot: _Snapshot) -> SnapshotState:
    return SnapshotState(name, len(snapshot.store), snapshot.taken)
