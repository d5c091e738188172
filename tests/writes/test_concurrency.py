"""Four processes, 64 connections, one store: concurrent writes are as if done one after another (contract 5.1, 8).

All acts on fifty accounts at random, some of them in batches, and reads between them, half of everything among five of
the accounts. UPSPACE_TEST_LONG=1 loads the server for 30 seconds in place of four; UPSPACE_TEST_SEED makes another run,
--log-cli-level=INFO tells how it went.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from conftest import serving
from load_client import Asked, Load
from load_world import (
    LONG,
    SEED,
    arguments,
    assert_clean,
    assert_explained,
    make_accounts,
    observe,
    operations,
    within_deadline,
)
from pair_history import READ, Operation, Pair

log = logging.getLogger(__name__)

WORKERS, CONNECTIONS = 4, 64
MIDS = range(1001, 1051)
LOAD_S = 30 if LONG else 4


def test_concurrent_writes_are_as_if_done_one_after_another(store_url: str, tmp_path: Path) -> None:
    make_accounts(store_url, MIDS)
    with serving(tmp_path, *arguments(store_url, WORKERS)) as served:
        before = observe(served, MIDS)
        assert before.states == {}
        load = Load(MIDS, SEED)
        until = time.monotonic() + LOAD_S
        used_s = time.process_time()
        within_deadline(load.run(served.address, CONNECTIONS, lambda: time.monotonic() < until))
        used_s = time.process_time() - used_s
        after = observe(served, MIDS)
        said = summary(load.asked, used_s)
        log.info(said)
        assert load.broken == 0, said
        assert_explained(load.asked, before, after, said)
        assert_clean(store_url, said)
        assert served.stop() == 0, said
        assert served.errors() == "", said
    assert_clean(store_url, said)
    history = list(operations(load.asked))
    # Far less than any machine does, far more than a server that is stuck; and it was no easy time.
    assert len(load.asked) > 100 * LOAD_S, said
    assert contended(history) > len(history) // 50, said
    writes = [operation for operation in history if operation.act != READ]
    assert frozenset().union(*(operation.answers for operation in writes)) == {0, 22002, 22003, 22014, 22120}, said


def contended(history: Iterable[Operation]) -> int:
    """How many began while another on the same pair was under way."""
    busy_until: defaultdict[Pair, int] = defaultdict(int)
    count = 0
    for operation in sorted(history):
        count += operation.started_ns < busy_until[operation.pair]
        busy_until[operation.pair] = max(busy_until[operation.pair], operation.ended_ns)
    return count


def summary(asked: Iterable[Asked], used_s: float) -> str:
    """What kind of a time it was."""
    waits_ms = sorted((one.ended_ns - one.started_ns) / 1e6 for one in asked if one.wanted.act != READ)
    count = len(waits_ms)
    return (
        f"seed {SEED}: {count} writes in {LOAD_S} s, half within {waits_ms[count // 2]:.1f} ms, 99 in 100 within "
        f"{waits_ms[count * 99 // 100]:.1f} ms, all within {waits_ms[-1]:.1f} ms; the client used {used_s:.1f} s; "
        f"{contended(operations(asked))} operations began while another on the same pair was under way"
    )
