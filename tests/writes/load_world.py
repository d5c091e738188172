"""Accounts for a load, what the server says of them, and whether that agrees with what clients were told."""

import asyncio
import itertools
import os
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from conftest import DEADLINE_S, Served, run_process
from contract_model import BLACK, FOLLOW, MUTUAL, NONE, WHISPER
from load_client import MODIFY, RELATION, Address, Asked, Connection, get_request, token_of
from pair_history import NEVER_NS, NOTHING, READ, Operation, Pair, State, codes_of, unexplained
from replies import outcome

from upspace.model import Account, Profile, Standing, Token
from upspace.server.viewer import token_digest
from upspace.store import migrate_store, open_store

LONG = os.environ.get("UPSPACE_TEST_LONG") == "1"
# Said in every failure; another one makes another run.
SEED = int(os.environ.get("UPSPACE_TEST_SEED", "1"))

ALREADY_SO = frozenset((0, 22014, 22120))
STAT = "/x/relation/stat"
_OBSERVERS = 8


class World(NamedTuple):
    """The states of all pairs that have any, and the counters of all accounts."""

    states: dict[Pair, State]
    counters: dict[int, dict[str, int]]


def make_accounts(url: str, mids: Sequence[int]) -> None:
    """A new store with these accounts, each with a token and without relations."""

    async def make() -> None:
        await migrate_store(url)
        store = await open_store(url)
        await store.load([Profile(Account(mid, name=f"account {mid}"), Standing(mid)) for mid in mids], ())
        await asyncio.gather(*(store.put_token(Token(token_digest(token_of(mid)), mid, 0)) for mid in mids))
        await store.close()

    asyncio.run(make())


def arguments(url: str, workers: int) -> tuple[str, ...]:
    """How to serve it."""
    return ("serve", "--store", url, "--port", "0", "--workers", str(workers))


# What the server says


async def observed(address: Address, mids: Sequence[int]) -> World:
    """Both sides of every pair, each as its own account sees it, and every account's own counters."""
    answers: dict[tuple[int, int], dict[str, Any]] = {}
    counters: dict[int, dict[str, int]] = {}
    requests = itertools.chain(itertools.permutations(mids, 2), ((mid, 0) for mid in mids))

    async def ask() -> None:
        async with await Connection.open(address) as connection:
            for mid, fid in requests:
                path = RELATION if fid else STAT
                request = get_request(path, mid, **({"fid": fid} if fid else {"vmid": mid}))
                reply = await connection.ask(request)
                code, data = outcome(path, reply.envelope)
                assert (reply.status, code) == (200, 0), reply
                if fid:
                    answers[mid, fid] = data
                else:
                    counters[mid] = {name: data[name] for name in ("following", "whisper", "black", "follower")}

    await asyncio.gather(*(ask() for _ in range(_OBSERVERS)))
    states = {}
    for low, high in itertools.combinations(sorted(mids), 2):
        state = _state(answers[low, high], answers[high, low])
        if state != NOTHING:
            states[low, high] = state
    return World(states, counters)


def _state(low: Mapping[str, Any], high: Mapping[str, Any]) -> State:
    """The state that two replies show, which must not contradict each other. Contract: 5.1."""
    sides = low["attribute"], high["attribute"]
    assert (low["attribute"] == MUTUAL) == (high["attribute"] == MUTUAL), (low, high)
    assert sides != (FOLLOW, FOLLOW), (low, high)
    if MUTUAL in sides:
        assert low["mtime"] == high["mtime"], (low, high)
    first, second = (FOLLOW if side == MUTUAL else side for side in sides)
    return first, second


def summed(states: Mapping[Pair, State], mids: Iterable[int]) -> dict[int, dict[str, int]]:
    """The counters that these states make."""
    counters = {mid: dict.fromkeys(("following", "whisper", "black", "follower"), 0) for mid in mids}
    for (low, high), (forward, backward) in states.items():
        for owner, other, kind in ((low, high, forward), (high, low, backward)):
            if kind == NONE:
                continue
            counters[owner][{FOLLOW: "following", WHISPER: "whisper", BLACK: "black"}[kind]] += 1
            if kind == FOLLOW:
                counters[other]["follower"] += 1
    return counters


# Whether it agrees


def operations(asked: Iterable[Asked]) -> Iterator[Operation]:
    """What was asked as operations on pairs. Every reply must be one that contract 8.1 or 8.2 allows."""
    for wanted, started_ns, ended_ns, reply in asked:
        if reply is None:
            if wanted.act != READ:
                for fid in wanted.fids:
                    yield Operation(started_ns, NEVER_NS, wanted.viewer, fid, wanted.act, frozenset())
            continue
        path = RELATION if wanted.act == READ else MODIFY
        assert reply.status == 200, f"seed {SEED}: {wanted}: {reply}"
        code, data = outcome(path, reply.envelope)
        for fid in wanted.fids:
            if wanted.act == READ:
                answers = frozenset([data["attribute"]])
            elif wanted.batch:
                failed = fid in data["failed_fids"]
                answers = codes_of(wanted.act) - ALREADY_SO if failed else codes_of(wanted.act) & ALREADY_SO
            else:
                answers = frozenset([code])
            assert answers <= codes_of(wanted.act), f"seed {SEED}: {wanted}: {reply}"
            yield Operation(started_ns, ended_ns, wanted.viewer, fid, wanted.act, answers)


def assert_explained(asked: Iterable[Asked], before: World, after: World, said: str) -> None:
    """What clients were told, and what is there in the end, can have happened one after another; counters included."""
    strange = unexplained(operations(asked), before.states, after.states)
    for pair, history in strange.items():
        begun_ns = min((one.started_ns for one in history), default=0)
        lines = [_line(one, begun_ns) for one in history[-60:]]
        said += (
            f"\npair {pair}: {before.states.get(pair, NOTHING)} -> {after.states.get(pair, NOTHING)}, at last of "
            f"{len(history)}:\n" + "\n".join(lines)
        )
        break
    assert not strange, said
    wrong = {
        mid: (after.counters[mid], sums)
        for mid, sums in summed(after.states, after.counters).items()
        if after.counters[mid] != sums
    }
    assert not wrong, f"{said}\ncounters and what the states sum up to: {wrong}"


def _line(one: Operation, begun_ns: int) -> str:
    """One line of a history that cannot be."""
    started_ms = (one.started_ns - begun_ns) / 1e6
    answer = f"{sorted(one.answers)} at {(one.ended_ns - begun_ns) / 1e6:.3f} ms" if one.answers else "no reply"
    return f"  {started_ms:.3f} ms: {one.viewer} act {one.act} on {one.fid}: {answer}"


def assert_clean(url: str, said: str) -> None:
    """`upspace check` finds nothing."""
    ran = run_process("check", "--store", url)
    assert (ran.code, ran.err) == (0, ""), f"{said}\n{ran.out}{ran.err}"


def within_deadline(work: Coroutine[Any, Any, None]) -> None:
    """Run it in an event loop of its own."""
    asyncio.run(asyncio.wait_for(work, 10 * DEADLINE_S))


def observe(served: Served, mids: Sequence[int]) -> World:
    """As `observed`, for callers that have no event loop."""
    return asyncio.run(observed(served.address, mids))
