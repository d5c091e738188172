"""The server's own rate limits: so many reads and writes of one viewer and of one address, over all workers together.

Each limited key has one number, the time at which it will have been idle for long enough to be forgotten (GCRA, the
"theoretical arrival time"). Each request moves it on by S/N seconds, and a request that would move it further than S
seconds ahead is refused. So N requests pass at once after a rest, then one each S/N seconds.

The numbers are in a small file that all workers map into memory. Its size is fixed, whatever clients do.
"""

import fcntl
import hashlib
import mmap
import os
import re
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

_NANOSECONDS = 1_000_000_000

_REQUESTS_MAX = 1_000_000
_SECONDS_MAX = 86_400

# The file: a header with the secret of this server start, then groups of slots. A key belongs to one group and may
# lie in any slot of it. A group is the fingerprints of its keys, then the times of its keys.
_WORD_BYTES = 8
_SECRET_BYTES = 32
_HEADER_WORDS = 16
_GROUP_SLOTS = 8
_GROUP_WORDS = 2 * _GROUP_SLOTS
_GROUP_BYTES = _GROUP_WORDS * _WORD_BYTES

# Here files are memory and nothing is written to a disk, on Linux. Elsewhere the system writes the file back now and
# then, never for a request.
_MEMORY_FOLDER = "/dev/shm"  # noqa: S108  # the file in it is made by mkstemp


class Limit(Struct, frozen=True):
    """So many requests within so many seconds."""

    requests: int
    seconds: int

    @property
    def interval_ns(self) -> int:
        """What one request uses up. Rounded up, so that rounding never lets one through."""
        return -(-self.seconds * _NANOSECONDS // self.requests)


class Limits(Struct, frozen=True, kw_only=True):
    """The limits in force; None where there is no limit."""

    viewer_reads: Limit | None = None
    viewer_writes: Limit | None = None
    address_reads: Limit | None = None
    address_writes: Limit | None = None


class Charge(Struct, frozen=True, gc=False):
    """What one request takes from one key: the key as a fingerprint, what it uses up, and how far ahead it may be."""

    fingerprint: int
    interval_ns: int
    ahead_ns: int


def parse_limit(text: str) -> Limit | None:
    """A limit from its text "N/S", None from an empty one. Raises ValueError for anything else."""
    if not text:
        return None
    match = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,5})", text)
    if match is not None:
        requests, seconds = int(match[1]), int(match[2])
        if 1 <= requests <= _REQUESTS_MAX and 1 <= seconds <= _SECONDS_MAX:
            return Limit(requests, seconds)
    raise ValueError(
        f"{text!r} is not N/S, N requests (1 to {_REQUESTS_MAX}) within S seconds (1 to {_SECONDS_MAX}), such as 300/60"
    )


def client_address(peer: str, forwarded: Sequence[str], trust_forwarded: bool) -> str:
    """The address that a request comes from, without a port.

    `peer` is the other end of the connection, `forwarded` the values of all X-Forwarded-For headers in their order.
    Of those the last element alone is the word of one's own proxy; what stands before it any client can send, and
    in a header of its own as well.
    """
    last = forwarded[-1].rpartition(",")[2].strip() if trust_forwarded and forwarded else ""
    address = last or peer
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _address_key(address: str) -> bytes:
    """What counts as one address. An IPv6 client has all addresses of its /64 to choose from, so that is one."""
    if ":" not in address:
        return address.encode()
    try:
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return address.encode()
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntoa(packed[12:]).encode()
    return packed[:8].hex().encode() + b"/64"


class Table:
    """Times by key in memory of a fixed size: a file that the workers of a server share, or memory of one process.

    Where more keys are in use than a group has slots, the one that is idle soonest is forgotten: a client may then
    get through more than its limit, and nobody gets through less. Locks are of the system and belong to processes:
    those of a worker that is killed are gone with it. A process opens a file once and no more, since closing it
    gives up the locks of all its openings.
    """

    def __init__(
        self, memory: mmap.mmap, file: int | None = None, path: str | None = None, owned: bool = False
    ) -> None:
        """Use `create`, `open` or `private`."""
        self.path = path
        self._owned = owned
        self._file = file
        self._memory = memory
        self._view = memoryview(memory)
        self._words = self._view.cast("Q")
        self._groups = len(self._words[_HEADER_WORDS:]) // _GROUP_WORDS
        # Locks of the system do not hold between threads of one process.
        self._threads = threading.Lock()
        self.secret = bytes(self._view[:_SECRET_BYTES])

    @classmethod
    def create(cls, slots: int = 65_536) -> "Table":
        """A new table in a file, to be opened by other processes at `path` and removed by `close`."""
        folder = _MEMORY_FOLDER if os.access(_MEMORY_FOLDER, os.W_OK) else None
        file, path = tempfile.mkstemp(prefix="upspace-limits-", dir=folder)
        try:
            # Written in full: a hole that finds no memory later would kill the worker that touches it.
            Path(path).write_bytes(_blank(slots))
            return cls(mmap.mmap(file, 0), file, path, owned=True)
        except OSError:
            os.close(file)
            Path(path).unlink()
            raise

    @classmethod
    def open(cls, path: str) -> "Table":
        """The table that another process has created."""
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        return cls(mmap.mmap(file, 0), file, path)

    @classmethod
    def private(cls, slots: int = 65_536) -> "Table":
        """A new table of this process alone, without a file."""
        blank = _blank(slots)
        memory = mmap.mmap(-1, len(blank))
        memory[:] = blank
        return cls(memory)

    def close(self) -> None:
        """Let go of the memory; the table is not used any more. The process that created a file removes it."""
        self._words.release()
        self._view.release()
        self._memory.close()
        if self._file is not None:
            os.close(self._file)
        if self._owned and self.path is not None:
            Path(self.path).unlink(missing_ok=True)

    def take(self, charges: Sequence[Charge], now_ns: int) -> int:
        """Charge all or nothing: 0 when every key allows it, else the nanoseconds until every key would."""
        # In one order for all processes, or two of them could wait for each other.
        groups = sorted({charge.fingerprint % self._groups for charge in charges})
        with self._threads:
            try:
                self._lock(groups)
                return self._take(charges, now_ns)
            finally:
                self._unlock()

    def clear(self) -> None:
        """Forget all keys. For a table of one process: others may be in the middle of a charge."""
        with self._threads:
            header = _HEADER_WORDS * _WORD_BYTES
            self._view[header:] = bytes(len(self._view) - header)

    def _take(self, charges: Sequence[Charge], now_ns: int) -> int:
        wait = 0
        times = []
        for charge in charges:
            at = self._find(charge.fingerprint)
            idle_at = max(now_ns, self._words[at]) if at else now_ns
            wait = max(wait, idle_at - now_ns - charge.ahead_ns)
            times.append(idle_at + charge.interval_ns)
        if not wait:
            for charge, idle_at in zip(charges, times, strict=True):
                at = self._find(charge.fingerprint) or self._give_slot(charge.fingerprint)
                self._words[at] = idle_at
        return wait

    def _find(self, fingerprint: int) -> int:
        """Where the time of a key is; 0 if it is nowhere."""
        start = _HEADER_WORDS + fingerprint % self._groups * _GROUP_WORDS
        fingerprints = self._words[start : start + _GROUP_SLOTS].tolist()
        return start + _GROUP_SLOTS + fingerprints.index(fingerprint) if fingerprint in fingerprints else 0

    def _give_slot(self, fingerprint: int) -> int:
        """Where the time of a new key goes: to the slot of the key that is idle soonest. Empty ones have time 0."""
        start = _HEADER_WORDS + fingerprint % self._groups * _GROUP_WORDS
        times = self._words[start + _GROUP_SLOTS : start + _GROUP_WORDS].tolist()
        slot = times.index(min(times))
        self._words[start + slot] = fingerprint
        return start + _GROUP_SLOTS + slot

    def _lock(self, groups: Sequence[int]) -> None:
        if self._file is not None:
            for group in groups:
                fcntl.lockf(self._file, fcntl.LOCK_EX, 1, _HEADER_WORDS * _WORD_BYTES + group * _GROUP_BYTES)

    def _unlock(self) -> None:
        if self._file is not None:
            fcntl.lockf(self._file, fcntl.LOCK_UN)


def _blank(slots: int) -> bytes:
    """An empty table with a secret of its own."""
    header = secrets.token_bytes(_SECRET_BYTES).ljust(_HEADER_WORDS * _WORD_BYTES, b"\0")
    return header + bytes(max(1, slots // _GROUP_SLOTS) * _GROUP_BYTES)


class _Gauge:
    """One limit: from a key to what a request takes from it."""

    def __init__(self, limit: Limit, name: bytes, secret: bytes) -> None:
        self._interval_ns = limit.interval_ns
        self._ahead_ns = (limit.requests - 1) * limit.interval_ns
        # Keyed, so that no client can choose keys that meet in one group and push others out of it.
        self._hasher = hashlib.blake2b(key=secret, person=name, digest_size=_WORD_BYTES)

    def charge(self, key: bytes) -> Charge:
        hasher = self._hasher.copy()
        hasher.update(key)
        # 0 is the mark of an empty slot.
        return Charge(int.from_bytes(hasher.digest(), "little") or 1, self._interval_ns, self._ahead_ns)


class Limiter:
    """Says of each request whether it is within the limits. `clock` gives nanoseconds, the same to every process."""

    def __init__(self, limits: Limits, table: Table, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._table = table
        self._clock = clock

        def gauge(limit: Limit | None, name: bytes) -> _Gauge | None:
            return None if limit is None else _Gauge(limit, name, table.secret)

        self._viewer = (gauge(limits.viewer_reads, b"viewer reads"), gauge(limits.viewer_writes, b"viewer writes"))
        self._address = (gauge(limits.address_reads, b"address reads"), gauge(limits.address_writes, b"address writes"))

    def clear(self) -> None:
        """Forget all requests so far."""
        self._table.clear()

    def wait_s(self, address: str, viewer: int | None, write: bool) -> float:
        """0 for a request that is within the limits, and is counted; else the seconds until it would be.

        What is refused for the viewer or for the address is counted for neither.
        """
        charges = []
        by_address = self._address[write]
        if by_address is not None:
            charges.append(by_address.charge(_address_key(address)))
        by_viewer = self._viewer[write]
        if by_viewer is not None and viewer is not None:
            charges.append(by_viewer.charge(b"%d" % viewer))
        return self._table.take(charges, self._clock()) / _NANOSECONDS if charges else 0
