"""The service under test: its accounts, relations, faults, clock and requests."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Unpack
from urllib.parse import quote

import msgspec

from upspace.client import AsyncClient, Client
from upspace.testing.accounts import Account, record_fields
from upspace.testing.clock import Clock
from upspace.testing.control import ControlClient, ControlError
from upspace.testing.faults import Fault, RuleFields
from upspace.testing.requests import Requests, chosen
from upspace.testing.server import ServerProcess
from upspace.wire.codes import ATTRIBUTE_BLACK, ATTRIBUTE_FOLLOWING, ATTRIBUTE_WHISPER
from upspace.wire.control import (
    DIRECT_PREFIX,
    CommunityRequest,
    FaultRule,
    Journal,
    Loaded,
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

# The server reads a megabyte at once.
_BATCH_BYTES = 500_000
_MEMBERS_AT_ONCE = 50

_START = "_start_of_every_test"


class Upspace:
    """A controlled server at `url`, and everything that a test does to it and asks it.

    What the server refuses raises ControlError, which says why; once it has ended, ServerError.
    """

    def __init__(self, url: str, server: ServerProcess | None = None) -> None:
        """`server`, if it is known, is asked why it does not answer."""
        self.url = url.rstrip("/")
        self._server = server
        self._control = ControlClient(self.url, None if server is None else server.check)
        self.clock = Clock(self._control)
        self._clients: list[Client] = []
        self._snapshots: set[str] = set()
        self._named = 0

    def close(self) -> None:
        """Close all connections to the server; the server runs on."""
        self._close_clients()
        self._control.close()

    @property
    def server_said(self) -> str:
        """What the server has written to its log since it started, errors above all; empty while all is well."""
        return "" if self._server is None else self._server.said

    # Accounts and relations

    def account(self, name: str | None = None, *, mid: int | None = None, **fields: Any) -> Account:
        """Make an account. `fields` are those of a record (docs/admin.md), and counters and statistics one by one.

        With a counter given (`follower=1_000_000`), the account shows its counters as given, whatever relations it has.
        Raises ControlError for a mid that an account has.
        """
        record = record_fields(fields) | {"name": self._free_name() if name is None else name}
        return self._load_accounts([record if mid is None else record | {"mid": mid}])[0]

    def accounts(self, count: int, **fields: Any) -> list[Account]:
        """Make accounts that have the same fields, but for mid and name."""
        record = record_fields(fields)
        return self._load_accounts([record | {"name": self._free_name()} for _ in range(count)])

    def existing(self, mid: int) -> Account:
        """An account that is there already: of a community, or made before the test. Raises ControlError."""
        record: dict[str, Any] = self._control.call("GET", f"accounts/{mid}")
        return Account(self._control, mid, record["name"])

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
        self._follow_in_turn([(each, of) for each in made])
        return made

    def add_followings(self, of: Who, count: int, **fields: Any) -> list[Account]:
        """Make accounts that `of` follows, in the order of its list: each a second earlier than the one before."""
        made = self.accounts(count, **fields)
        self._follow_in_turn([(of, each) for each in made])
        return made

    def group(self, owner: Who, name: str, members: Sequence[Who] = ()) -> int:
        """Make a group of accounts that `owner` follows; its id. Raises the errors of contract 8.3."""
        client = self.client(owner)
        group_id = client.create_group(name).tagid
        for start in range(0, len(members), _MEMBERS_AT_ONCE):
            some = members[start : start + _MEMBERS_AT_ONCE]
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

    def slow(self, path: str, delay_s: float, *, times: int | None = None, target: Who | None = None) -> Fault:
        """Let requests of `path` wait for so many seconds. `fail` has all the ways in which a reply may be slow."""
        rule = RuleFields(delay_s=delay_s)
        if times is not None:
            rule["times"] = times
        if target is not None:
            rule["target"] = target
        return self.fail(path, Shape.SLOW, **rule)

    def end_faults(self) -> None:
        """Remove all rules."""
        self._control.call("DELETE", "faults")

    def replay(self, file: str | Path) -> None:
        """Answer requests that are recorded in `file` (`upspace record`) with the replies recorded there.

        Raises OSError for a file that cannot be read, ControlError for a line of it that is no pair.
        """
        pairs = []
        with Path(file).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    pairs += [msgspec.json.decode(line, type=Pair)] if line.strip() else []
                except (msgspec.DecodeError, UnicodeError) as error:
                    raise ControlError(f"{file}:{number}: {error}") from None
        for some in _batches(pairs):
            self._control.call("POST", "replay", ReplayRequest(some))

    # Requests

    def requests(
        self, path: str | None = None, *, method: str | None = None, viewer: Who | None = None, **parameters: Any
    ) -> Requests:
        """The requests that were sent so far: all, or those of a path, by a viewer (0 is nobody), with parameters.

        `path` is a path, a pattern with `*`, or the name of an endpoint, which covers its aliases. What the test itself
        asks by `client` is not among them. Raises ControlError where there were so many that some are not known any
        more, BadRequestError for a path that no request can have.
        """
        journal = self._control.read("GET", "requests", Journal)
        if journal.dropped:
            raise ControlError(
                f"{journal.dropped} requests are not known any more, only the last {len(journal.requests)}:"
                " call forget_requests() in between"
            )
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

    def client(self, viewer: Who | None = None) -> Client:
        """A client of the test's own, signed in as `viewer`: unknown to the journal, hit by no fault and no rate limit.

        It need not be closed: it ends with the test.
        """
        client = Client(self.url + DIRECT_PREFIX, token=self._token(viewer), retries=0)
        self._clients.append(client)
        return client

    def async_client(self, viewer: Who | None = None) -> AsyncClient:
        """The same for async tests, to be used in `async with`."""
        return AsyncClient(self.url + DIRECT_PREFIX, token=self._token(viewer), retries=0)

    def proxy(self) -> AbstractContextManager["Proxied"]:
        """A proxy, for `with`, by which a program that asks `https://api.bilibili.com` asks this server instead."""
        from upspace.testing.proxying import proxied

        return proxied(self.url)

    # The whole

    def snapshot(self, name: str) -> None:
        """Remember all of the server: accounts, relations, faults, clock. Only with a store in memory.

        In a test of the plugin's it is forgotten when the test ends. Raises ControlError.
        """
        self._control.call("PUT", f"snapshots/{quote(name, safe='')}")
        self._snapshots.add(name)

    def restore(self, name: str) -> None:
        """Let the server be what it was. The journal begins anew, and tokens issued since are none any more."""
        self._control.call("POST", f"snapshots/{quote(name, safe='')}/restore")
        self._gone_back()

    def reset(self) -> None:
        """Let the server be as it was when it started."""
        self._control.call("POST", "reset")
        self._gone_back()

    def keep_as_start(self) -> None:
        """Let what the server is now be what `start_again` leads to."""
        self._control.call("PUT", f"snapshots/{_START}")
        self._snapshots.clear()

    def start_again(self) -> None:
        """Let the server be as it was at `keep_as_start`, with the snapshots that there were. For the next test."""
        for name in self._snapshots - {_START}:
            self._control.call("DELETE", f"snapshots/{quote(name, safe='')}")
        self._snapshots.clear()
        self.restore(_START)

    def __repr__(self) -> str:
        return f"Upspace({self.url!r})"

    def _gone_back(self) -> None:
        self._control.generation += 1
        self._named = 0
        self._close_clients()

    def _close_clients(self) -> None:
        while self._clients:
            self._clients.pop().close()

    def _token(self, viewer: Who | None) -> str | None:
        if viewer is None:
            return None
        return (viewer if isinstance(viewer, Account) else self.existing(viewer)).token

    def _free_name(self) -> str:
        self._named += 1
        return f"用户{self._named}"

    def _load_accounts(self, records: Sequence[dict[str, Any]]) -> list[Account]:
        mids: list[int] = []
        for some in _batches(records):
            mids += self._control.read("POST", "load", Loaded, LoadRequest(accounts=some, replace=False)).mids
        return [Account(self._control, mid, record["name"]) for mid, record in zip(mids, records, strict=True)]

    def _follow_in_turn(self, pairs: Sequence[tuple[Who, Who]]) -> None:
        """Follows that began a second apart, the first one last."""
        newest = int(self.clock.now)
        self._relate([(*pair, newest - place) for place, pair in enumerate(pairs)], ATTRIBUTE_FOLLOWING)

    def _relate(self, pairs: Sequence[tuple[Who, Who, int | None]], attribute: Literal[1, 2, 128]) -> None:
        relations = [RelationRecord(int(owner), int(other), attribute, mtime) for owner, other, mtime in pairs]
        for some in _batches(relations):
            self._control.call("POST", "load", LoadRequest(relations=some))


def _text(value: Any) -> str:
    """A parameter as it goes over the wire."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, value))
    return str(int(value)) if isinstance(value, (Account, bool)) else str(value)


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in lists that a request can carry; one that is too large is alone, for the server to refuse."""
    batch: list[T] = []
    size = 0
    for value in values:
        length = len(msgspec.json.encode(value))
        if batch and size + length > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(value)
        size += length
    if batch:
        yield batch
