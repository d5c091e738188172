"""The rate limiter: its arithmetic under a clock of ours, its table when it is full, and several processes on it."""

import fcntl
import multiprocessing
import multiprocessing.connection
import multiprocessing.synchronize
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upspace.server.limits import Limit, Limiter, Limits, Table, client_address, parse_limit
from upspace.server.settings import Settings, SettingsError, build_settings

SECOND = 1_000_000_000

# As on a machine that has been up for some months.
START = 10_000_000 * SECOND + 123_456_789

HERE = "203.0.113.7"
THERE = "203.0.113.8"

PROCESSES = 4

# What a file holds besides its slots, and a slot.
HEADER_BYTES = 128
SLOT_BYTES = 16


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table.private()
    yield table
    table.close()


@pytest.fixture
def shared() -> Iterator[tuple[Table, str]]:
    """A table for several processes, and its path."""
    table = Table.create()
    assert table.path is not None
    yield table, table.path
    table.close()


def passed(limiter: Limiter, tries: int, address: str = HERE, viewer: int | None = None, write: bool = False) -> int:
    """How many of so many requests pass."""
    return sum(limiter.wait_s(address, viewer, write) == 0 for _ in range(tries))


@pytest.mark.parametrize("limit", [Limit(1, 1), Limit(3, 1), Limit(300, 60), Limit(7, 86_400), Limit(1_000, 1)])
def test_after_a_rest_all_pass_at_once_and_then_one_each_interval(table: Table, clock: Clock, limit: Limit) -> None:
    limiter = Limiter(Limits(address_reads=limit), table, clock)
    assert passed(limiter, limit.requests + 5) == limit.requests
    for _ in range(3):
        clock.now += limit.interval_ns - 1
        assert limiter.wait_s(HERE, None, False) == pytest.approx(1e-9)
        clock.now += 1
        assert passed(limiter, 5) == 1
    clock.now += limit.requests * limit.interval_ns
    assert passed(limiter, limit.requests + 5) == limit.requests


def test_what_is_refused_is_not_counted_and_says_how_long(table: Table, clock: Clock) -> None:
    limiter = Limiter(Limits(address_reads=Limit(2, 10)), table, clock)
    assert passed(limiter, 2) == 2
    assert [limiter.wait_s(HERE, None, False) for _ in range(50)] == [5.0] * 50
    clock.now += 2 * SECOND
    assert limiter.wait_s(HERE, None, False) == 3.0
    clock.now += 3 * SECOND
    assert limiter.wait_s(HERE, None, False) == 0


def test_viewers_addresses_reads_and_writes_each_have_their_own_count(table: Table, clock: Clock) -> None:
    limits = Limits(
        viewer_reads=Limit(2, 60), viewer_writes=Limit(1, 60), address_reads=Limit(5, 60), address_writes=Limit(3, 60)
    )
    limiter = Limiter(limits, table, clock)
    assert passed(limiter, 9, viewer=1) == 2
    assert passed(limiter, 9, viewer=2) == 2
    assert passed(limiter, 9, viewer=3) == 1
    assert passed(limiter, 9) == 0
    assert passed(limiter, 9, THERE, viewer=1) == 0
    assert passed(limiter, 9, THERE, viewer=3) == 1
    assert passed(limiter, 9, THERE) == 4
    assert passed(limiter, 9, viewer=1, write=True) == 1
    assert passed(limiter, 9, write=True) == 2


def test_what_one_of_the_two_refuses_is_counted_for_neither(table: Table, clock: Clock) -> None:
    limiter = Limiter(Limits(viewer_reads=Limit(1, 10), address_reads=Limit(2, 60)), table, clock)
    assert passed(limiter, 20, viewer=1) == 1
    assert passed(limiter, 20) == 1
    assert passed(limiter, 20, viewer=2) == 0
    assert passed(limiter, 1, THERE, viewer=2) == 1
    # The longer of the two waits, which of them it ever is.
    assert limiter.wait_s(HERE, 1, False) == 30.0
    assert limiter.wait_s(THERE, 1, False) == 10.0


def test_where_there_is_no_limit_everything_passes(table: Table, clock: Clock) -> None:
    limiter = Limiter(Limits(viewer_writes=Limit(1, 60)), table, clock)
    assert passed(limiter, 50, viewer=1) == 50
    assert passed(limiter, 50, write=True) == 50
    assert passed(limiter, 50, viewer=1, write=True) == 1


def test_the_clock_of_the_system_is_the_default(table: Table) -> None:
    limiter = Limiter(Limits(address_reads=Limit(1, 1_000)), table)
    assert limiter.wait_s(HERE, None, False) == 0
    assert 0 < limiter.wait_s(HERE, None, False) <= 1_000


@settings(deadline=None)
@given(
    limit=st.builds(Limit, st.integers(1, 12), st.integers(1, 7)),
    gaps=st.lists(st.sampled_from([0, 1, SECOND // 7, SECOND // 3, SECOND, 3 * SECOND]) | st.integers(0, 8 * SECOND)),
    rest=st.booleans(),
)
def test_it_is_a_bucket_of_tokens_and_no_window_sees_twice_the_limit(limit: Limit, gaps: list[int], rest: bool) -> None:
    clock, table = Clock(), Table.private(8)
    limiter = Limiter(Limits(address_reads=limit), table, clock)
    tokens, seen = Fraction(limit.requests), []
    for gap in gaps + ([0] * (2 * limit.requests) if rest else []):
        clock.now += gap
        tokens = min(Fraction(limit.requests), tokens + Fraction(gap, limit.interval_ns))
        wait = limiter.wait_s(HERE, None, False)
        if tokens >= 1:
            assert wait == 0
            tokens -= 1
            seen.append(clock.now)
        else:
            assert wait == pytest.approx(float((1 - tokens) * limit.interval_ns / SECOND))
    for first in seen:
        assert sum(first <= at <= first + limit.seconds * SECOND for at in seen) <= 2 * limit.requests
    table.close()


@settings(deadline=None)
@given(
    requests=st.lists(
        st.tuples(st.integers(0, 30), st.none() | st.integers(1, 30), st.booleans(), st.integers(0, SECOND)),
        max_size=200,
    )
)
def test_a_table_that_is_too_small_forgets_but_refuses_nobody_for_it(
    requests: list[tuple[int, int | None, bool, int]],
) -> None:
    limit = Limit(2, 4)
    clock, table = Clock(), Table.private(8)
    limits = Limits(viewer_reads=limit, viewer_writes=limit, address_reads=limit, address_writes=limit)
    limiter = Limiter(limits, table, clock)
    idle_at: dict[tuple[str | int, bool], int] = {}
    for host, viewer, write, gap in requests:
        clock.now += gap
        address = f"10.0.0.{host}"
        keys: list[tuple[str | int, bool]] = [(address, write)]
        if viewer is not None:
            keys.append((viewer, write))
        ahead = max(max(idle_at.get(key, 0), clock.now) - clock.now for key in keys)
        if limiter.wait_s(address, viewer, write):
            assert ahead > limit.interval_ns
        else:
            for key in keys:
                idle_at[key] = max(idle_at.get(key, 0), clock.now) + limit.interval_ns
    table.close()


def test_of_a_full_table_the_key_that_is_idle_soonest_is_forgotten(clock: Clock) -> None:
    table = Table.private(8)
    limiter = Limiter(Limits(address_reads=Limit(10, 100)), table, clock)
    for host in range(8):
        assert passed(limiter, 3 + host, f"10.0.0.{host}") == 3 + host
    assert passed(limiter, 4, "10.0.0.100") == 4
    assert passed(limiter, 99, "10.0.0.7") == 0
    assert passed(limiter, 99, "10.0.0.1") == 6
    assert passed(limiter, 99, "10.0.0.0") == 10
    table.close()


def test_the_file_does_not_grow(clock: Clock) -> None:
    table = Table.create(64)
    assert table.path is not None
    limiter = Limiter(Limits(address_reads=Limit(5, 60), viewer_reads=Limit(5, 60)), table, clock)
    for number in range(2_000):
        assert limiter.wait_s(f"10.0.{number // 250}.{number % 250}", number + 1, False) == 0
    file = Path(table.path)
    assert file.stat().st_size == HEADER_BYTES + 64 * SLOT_BYTES
    assert file.stat().st_mode & 0o077 == 0
    table.close()
    assert not file.exists()


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("upspace.server.limits._MEMORY_FOLDER", str(tmp_path))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        Table.create()
    assert list(tmp_path.iterdir()) == []


def test_tables_have_secrets_of_their_own_and_openings_share_one(clock: Clock) -> None:
    table, other = Table.create(64), Table.create(64)
    assert table.path is not None
    opened = Table.open(table.path)
    assert opened.secret == table.secret != other.secret
    limits = Limits(address_reads=Limit(3, 60))
    assert passed(Limiter(limits, table, clock), 2) == 2
    assert passed(Limiter(limits, opened, clock), 9) == 1
    assert passed(Limiter(limits, other, clock), 9) == 3
    opened.close()
    assert Path(table.path).exists()
    table.close()
    other.close()


start_line: multiprocessing.synchronize.Barrier


def begin(barrier: multiprocessing.synchronize.Barrier) -> None:
    """Runs first in each process of `hammer`."""
    global start_line
    start_line = barrier


def hammer(path: str, limits: Limits, tries: int, now: int) -> int:
    """Runs in a process of its own: so many requests from two addresses and two viewers; how many passed."""
    table = Table.open(path)
    limiter = Limiter(limits, table, lambda: now)
    start_line.wait(60)
    count = 0
    for number in range(tries):
        address, viewer = (HERE, THERE)[number % 2], 1 + number // 2 % 2
        count += limiter.wait_s(address, viewer, False) == 0
    table.close()
    return count


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        (Limits(viewer_reads=Limit(2_000, 60)), 4_000),
        (Limits(address_reads=Limit(1_500, 60), viewer_reads=Limit(1_000_000, 60)), 3_000),
    ],
    ids=["one key", "two keys"],
)
def test_processes_together_let_through_what_one_would(shared: tuple[Table, str], limits: Limits, allowed: int) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context, begin, (context.Barrier(PROCESSES),)) as pool:
        counts = [pool.submit(hammer, shared[1], limits, 3_000, START) for _ in range(PROCESSES)]
        assert sum(count.result(60) for count in counts) == allowed


def hold(path: str, told: multiprocessing.connection.Connection) -> None:
    """Runs in a process of its own: comes to a stop between locking and unlocking."""

    class Stuck(Table):
        def _take(self, charges: object, now_ns: int) -> int:
            told.send("locked")
            told.recv()
            raise AssertionError("nobody sends")

    Limiter(Limits(address_reads=Limit(1, 60)), Stuck.open(path)).wait_s(HERE, None, False)


def test_a_worker_that_is_killed_within_its_lock_blocks_nobody(shared: tuple[Table, str], clock: Clock) -> None:
    table, path = shared
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    worker = context.Process(target=hold, args=(path, there))
    worker.start()
    assert here.recv() == "locked"
    with Path(path).open("r+b") as file, pytest.raises(BlockingIOError):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    worker.kill()
    worker.join(60)
    assert passed(Limiter(Limits(address_reads=Limit(1, 60)), table, clock), 9) == 1
    here.close()
    there.close()


def test_threads_of_one_process_let_through_what_one_would(table: Table, clock: Clock) -> None:
    limiter = Limiter(Limits(address_reads=Limit(2_000, 60)), table, clock)
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(lambda _: passed(limiter, 1_000), range(4))) == 2_000
    finally:
        sys.setswitchinterval(switch_s)


@pytest.mark.parametrize(
    ("address", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("not:an:address", "not:one:either", False),
        ("", "", True),
    ],
)
def test_an_ipv6_network_of_a_client_is_one_address(
    table: Table, clock: Clock, address: str, other: str, same: bool
) -> None:
    limiter = Limiter(Limits(address_reads=Limit(1, 60)), table, clock)
    assert limiter.wait_s(address, None, False) == 0
    assert (limiter.wait_s(other, None, False) > 0) is same


@pytest.mark.parametrize(
    ("peer", "forwarded", "trust", "address"),
    [
        ("203.0.113.7:4711", [], False, "203.0.113.7"),
        ("203.0.113.7", [], True, "203.0.113.7"),
        ("[2001:db8::1]:4711", [], False, "2001:db8::1"),
        ("2001:db8::1", [], False, "2001:db8::1"),
        ("", [], True, ""),
        ("127.0.0.1:1", ["198.51.100.1"], False, "127.0.0.1"),
        ("127.0.0.1:1", ["198.51.100.1"], True, "198.51.100.1"),
        ("127.0.0.1:1", ["10.9.9.9, 198.51.100.1"], True, "198.51.100.1"),
        ("127.0.0.1:1", ["10.9.9.9", "10.8.8.8,198.51.100.1 "], True, "198.51.100.1"),
        ("127.0.0.1:1", ["10.9.9.9, [2001:db8::1]:80"], True, "2001:db8::1"),
        ("127.0.0.1:1", ["2001:db8::1"], True, "2001:db8::1"),
        ("127.0.0.1:1", ["10.9.9.9,"], True, "127.0.0.1"),
    ],
)
def test_the_address_is_the_peer_or_the_last_that_a_trusted_proxy_names(
    peer: str, forwarded: list[str], trust: bool, address: str
) -> None:
    assert client_address(peer, forwarded, trust) == address


@pytest.mark.parametrize(
    ("text", "limit"),
    [("", None), ("300/60", Limit(300, 60)), ("1/1", Limit(1, 1)), ("1000000/86400", Limit(1_000_000, 86_400))],
)
def test_a_limit_is_written_n_slash_s(text: str, limit: Limit | None) -> None:
    assert parse_limit(text) == limit
    built = build_settings({"store": "sqlite://", "limit_address_writes": text})
    assert built.limits() == Limits(address_writes=limit)


def test_an_interval_is_rounded_up() -> None:
    assert Limit(3, 1).interval_ns == 333_333_334


@pytest.mark.parametrize("name", ["viewer_reads", "viewer_writes", "address_reads", "address_writes"])
def test_each_setting_is_the_limit_of_its_name(name: str) -> None:
    assert build_settings({"store": "sqlite://"}).limits() == Limits()
    built = build_settings({"store": "sqlite://", f"limit_{name}": "5/9"})
    assert built.limits() == Limits(**{name: Limit(5, 9)})
    with pytest.raises(SettingsError) as refused:
        build_settings({"store": "sqlite://", f"limit_{name}": "5"})
    assert str(refused.value) == (
        f"limit_{name}: '5' is not N/S, N requests (1 to 1000000) within S seconds (1 to 86400), such as 300/60"
    )


@pytest.mark.parametrize(
    "text",
    ["300", "300/", "/60", "0/60", "300/0", "-1/60", "1.5/60", " 300/60", "300/60\n", "1000001/60", "1/86401", "٣/٦"],
)
def test_a_limit_that_is_none_is_one_line(text: str) -> None:
    with pytest.raises(SettingsError, match=r"\Alimit_viewer_reads: [^\n]+\Z"):
        build_settings({"store": "sqlite://", "limit_viewer_reads": text})


def test_forwarded_addresses_are_not_trusted_unless_one_says_so() -> None:
    assert Settings(store="sqlite://").trust_forwarded is False
    assert build_settings({"store": "sqlite://", "trust_forwarded": True}).trust_forwarded is True
