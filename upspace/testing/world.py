"""The service under test: its accounts, relations, faults, clock and requests."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Unpack

import msgspec

from upspace.client import AsyncClient, Client
from upspace.testing.accounts import Account, record_fields
from upspace.testing.clock import Clock
from upspace.testing.control import ControlClient
from upspace.testing.faults import Fault, RuleFields
from upspace.testing.requests import Requests, chosen
from upspace.testing.server import ServerProcess
from upspace.wire.codes import ATTRIBUTE_BLACK, ATTRIBUTE_FOLLOWING, ATTRIBUTE_WHISPER
from upspace.wire.control import (
    DIRECT_PREFIX,
    CommunityRequest,
    FaultRule,
    Journal,
    LoadRequest,
    Pair,
    RelationRecord,
    ReplayRequest,
    Unimplemented,
    read_control,
)
from upspace.wire.faults import Shape

if TYPE_CHECKING:
    from upspace.testing.proxying import Proxied

T = TypeVar("T")
Who: TypeAlias = Account | int
"""An account, or its mid."""

_FIRST_MID = 10_001
_LOADED_AT_ONCE = 500
_REPLAYED_AT_ONCE = 50


class Upspace:
    """A controlled server at `url`, and everything that a test does to it and asks it.

    What the server refuses raises `upspace.testing.control.ControlError`, which says why.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._control = ControlClient(self.url)
        self.clock = Clock(self._control)
        self._next_mid = _FIRST_MID
        # By snapshot: a mid that is free then is free again afterwards.
        self._next_mids: dict[str, int] = {}

    def close(self) -> None:
        """Give the connection to the server back; the server runs on."""
        self._control.close()

    # Accounts and relations

    def account(self, name: str | None = None, *, mid: int | None = None, **fields: Any) -> Account:
        """Make an account. `fields` are those of a record (docs/admin.md), and counters and statistics one by one.

        With a counter given (`follower=1_000_000`), the account shows its counters as given, whatever relations it has.
        """
        return self._load_accounts([(self._free_mid() if mid is None else mid, name)], fields)[0]

    def accounts(self, count: int, **fields: Any) -> list[Account]:
        """Make accounts that have the same fields, but for mid and name."""
        return self._load_accounts([(self._free_mid(), None) for _ in range(count)], fields)

    def follow(self, owner: Who, other: Who, *, mtime: int | None = None) -> None:
        """Let `owner` follow `other` since `mtime` in unix seconds, now if it is not given, without any rule."""
        self._relate([(owner, other, mtime)], ATTRIBUTE_FOLLOWING)

    def whisper(self, owner: Who, other: Who, *, mtime: int | None = None) -> None:
        """Let `owner` whisper `other`."""
        self._relate([(owner, other, mtime)], ATTRIBUTE_WHISPER)

    def block(self, owner: Who, other: Who, *, mtime: int | None = None) -> None:
        """Let `owner` block `other`; a follow of the other side stays, which the rules of a block would end."""
        self._relate([(owner, other, mtime)], ATTRIBUTE_BLACK)

    def add_followers(self, of: Who, count: int, **fields: Any) -> list[Account]:
        """Make accounts that follow `of`, in the order of its list: each a second earlier than the one before."""
        made = self.accounts(count, **fields)
        newest = int(self.clock.now)
        self._relate([(each, of, newest - place) for place, each in enumerate(made)], ATTRIBUTE_FOLLOWING)
        return made

    def add_followings(self, of: Who, count: int, **fields: Any) -> list[Account]:
        """Make accounts that `of` follows, in the order of its list: each a second earlier than the one before."""
        made = self.accounts(count, **fields)
        newest = int(self.clock.now)
        self._relate([(of, each, newest - place) for place, each in enumerate(made)], ATTRIBUTE_FOLLOWING)
        return made

    def group(self, owner: Account, name: str, members: Sequence[Who] = ()) -> int:
        """Make a group of accounts that `owner` follows; its id. Raises the errors of contract 8.3."""
        with self.client(owner) as client:
            group_id = client.create_group(name).tagid
            for some in _chunks(members, 50):
                client.copy_members([int(member) for member in some], [group_id])
        return group_id

    def community(self, *, seed: int = 1, accounts: int = 1_000, relations: int = 20_000) -> None:
        """Fill an empty server with a synthetic community, the same for the same numbers; the samples are in it."""
        self._control.call("POST", "community", CommunityRequest(seed, accounts, relations))

    # Faults

    def fail(self, path: str, shape: str, **rule: Unpack[RuleFields]) -> Fault:
        """Let requests of `path` fail: a path, a pattern with `*`, or the name of an endpoint with all its aliases.

        `shape` is a name of docs/control.md, such as `risk` or `reset`. Raises BadRequestError for a rule that cannot
        be.
        """
        mids = {name: int(value) for name, value in rule.items() if isinstance(value, Account)}
        return Fault(self._control, read_control({"path": path, "shape": shape} | rule | mids, FaultRule))

    def slow(self, path: str, delay_s: float) -> Fault:
        """Let requests of `path` wait for so many seconds. `fail` has all the ways in which a reply may be slow."""
        return self.fail(path, Shape.SLOW, delay_s=delay_s)

    def end_faults(self) -> None:
        """Remove all rules."""
        self._control.call("DELETE", "faults")

    def replay(self, file: str | Path) -> None:
        """Answer requests that are recorded in `file` (`upspace record`) with the replies recorded there."""
        with Path(file).open("rb") as lines:
            pairs = [msgspec.json.decode(line, type=Pair) for line in lines]
        for some in _chunks(pairs, _REPLAYED_AT_ONCE):
            self._control.call("POST", "replay", ReplayRequest(list(some)))

    # Requests

    def requests(
        self, path: str | None = None, *, method: str | None = None, viewer: Who | None = None, **parameters: Any
    ) -> Requests:
        """The requests that were sent so far: all, or those of a path, by a viewer (0 is nobody), with parameters.

        `path` is a path, or the name of an endpoint, which covers its aliases. What the test itself asks by `client` is
        not among them.
        """
        journal = self._control.read("GET", "requests", Journal)
        by = None if viewer is None else int(viewer)
        return chosen(journal.requests, path, method, by, {name: _text(value) for name, value in parameters.items()})

    def assert_requested(
        self,
        path: str,
        *,
        times: int | None = None,
        method: str | None = None,
        viewer: Who | None = None,
        **parameters: Any,
    ) -> Requests:
        """The requests that match, of which there must be `times`, or one at least. Raises AssertionError."""
        found = self.requests(path, method=method, viewer=viewer, **parameters)
        if times is not None:
            found.assert_count(times)
        elif not found:
            raise AssertionError(f"there was no such request: {found!r}")
        return found

    def forget_requests(self) -> None:
        """Begin the journal anew."""
        self._control.call("DELETE", "requests")

    def unimplemented(self) -> list[Unimplemented]:
        """The paths that were asked for and that the server does not know."""
        return self._control.read("GET", "unimplemented", list[Unimplemented])

    def client(self, viewer: Account | None = None) -> Client:
        """A client of the test's own, signed in as `viewer`: no fault hits it, and the journal does not know of it."""
        return Client(self.url + DIRECT_PREFIX, token=None if viewer is None else viewer.token)

    def async_client(self, viewer: Account | None = None) -> AsyncClient:
        """The same for async tests."""
        return AsyncClient(self.url + DIRECT_PREFIX, token=None if viewer is None else viewer.token)

    def proxy(self) -> AbstractContextManager["Proxied"]:
        """A proxy, for `with`, by which a program that asks `https://api.bilibili.com` asks this server instead."""
        from upspace.testing.proxying import proxied

        return proxied(self.url)

    # The whole

    def snapshot(self, name: str) -> None:
        """Remember all of the server: accounts, relations, faults, clock. Only with a store in memory."""
        self._control.call("PUT", f"snapshots/{name}")
        self._next_mids[name] = self._next_mid

    def restore(self, name: str) -> None:
        """Let the server be what it was. The journal begins anew."""
        self._control.call("POST", f"snapshots/{name}/restore")
        self._next_mid = self._next_mids.get(name, _FIRST_MID)

    def reset(self) -> None:
        """Let the server be as it was when it started."""
        self._control.call("POST", "reset")
        self._next_mid = _FIRST_MID

    def _free_mid(self) -> int:
        self._next_mid += 1
        return self._next_mid - 1

    def _load_accounts(self, wanted: Sequence[tuple[int, str | None]], fields: dict[str, Any]) -> list[Account]:
        common = record_fields(fields)
        made = []
        for some in _chunks(wanted, _LOADED_AT_ONCE):
            records = [common | {"mid": mid, "name": f"用户{mid}" if name is None else name} for mid, name in some]
            self._control.call("POST", "load", LoadRequest(accounts=records))
            made += [Account(self._control, record["mid"], record["name"]) for record in records]
        return made

    def _relate(self, pairs: Sequence[tuple[Who, Who, int | None]], attribute: Literal[1, 2, 128]) -> None:
        relations = [RelationRecord(int(owner), int(other), attribute, mtime) for owner, other, mtime in pairs]
        for some in _chunks(relations, _LOADED_AT_ONCE):
            self._control.call("POST", "load", LoadRequest(relations=list(some)))


class Serving:
    """A server from the beginning to the end of a `with` or `async with`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._ends = ExitStack()

    def __enter__(self) -> Upspace:
        server = ServerProcess(self._settings)
        self._ends.callback(server.stop)
        return self._ends.enter_context(closing(Upspace(server.url)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ends.close()

    async def __aenter__(self) -> Upspace:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, traceback)


def serving(**settings: Any) -> Serving:
    """A server of its own, for `with` or `async with`; `settings` are those of `upspace serve`, by name.

    The calls of what it gives are plain ones in async programs as well: the server is another process, which answers
    within a millisecond. Raises SettingsError or ServerError where it begins.
    """
    return Serving(settings)


def _text(value: Any) -> str:
    """A parameter as it goes over the wire."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, value))
    return str(int(value)) if isinstance(value, (Account, bool)) else str(value)


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
