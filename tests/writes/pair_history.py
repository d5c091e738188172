"""Whether what clients saw of one pair of accounts can have happened one after another (contract 5.1, 8.1).

"Concurrent writes on one pair behave as if done one after another": there must be an order of what was done that puts
whatever had ended before something else began in front of it, in which the plain rules of contract_model.py give each
answer, and which ends in the state that was found in the end.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from contract_forms import Refused
from contract_model import NONE, Person, RelationModel, Side

READ = 0
ACTS = range(1, 8)
NEVER_NS = 2**63

Pair = tuple[int, int]
# What the lower mid of a pair has to do with the higher one, and the reverse, as if there were no other side.
State = tuple[int, int]
NOTHING: State = (NONE, NONE)

_LOW, _HIGH = 1, 2


class Operation(NamedTuple):
    """An act of `viewer` on `fid`, or a read of that relation.

    `answers` are the codes that it may have ended with, of a read the attribute that it saw. They are empty if no reply
    came: then it was done, at any time from its start on, or it was not.
    """

    started_ns: int
    ended_ns: int
    viewer: int
    fid: int
    act: int
    answers: frozenset[int]

    @property
    def pair(self) -> Pair:
        """Both accounts, the lower mid first."""
        return min(self.viewer, self.fid), max(self.viewer, self.fid)

    @property
    def optional(self) -> bool:
        """Whether it need not have been done."""
        return not self.answers


@cache
def done(state: State, by_low: bool, act: int) -> tuple[int, State]:
    """The code of an act of one side, or the attribute that a read of it shows, and the state that it leaves."""
    model = RelationModel()
    model.people = {_LOW: Person("low"), _HIGH: Person("high")}
    for key, kind in zip(((_LOW, _HIGH), (_HIGH, _LOW)), state, strict=True):
        if kind != NONE:
            model.sides[key] = Side(kind, 0)
    viewer, fid = (_LOW, _HIGH) if by_low else (_HIGH, _LOW)
    if act == READ:
        return model.attribute(viewer, fid), state
    try:
        model.act(viewer, fid, act, 0)
    except Refused as refused:
        return refused.code, state
    return 0, (model.kind(_LOW, _HIGH), model.kind(_HIGH, _LOW))


def codes_of(act: int) -> frozenset[int]:
    """The codes that the table of 8.1 allows, whatever state two accounts of full standing are in."""
    states = [NOTHING]
    for state in states:
        after = {done(state, by_low, other)[1] for by_low in (True, False) for other in ACTS}
        states += sorted(after - set(states))
    return frozenset(done(state, True, act)[0] for state in states)


def explained(operations: Iterable[Operation], before: State, after: State) -> bool:
    """Whether there is such an order of operations on one pair, from the state before to the state after.

    A search over what has been done so far and the state that it left: the number of the first operation not done yet,
    and which of those behind it are done, as bits.
    """
    ordered = sorted(operations)
    must = sum(not operation.optional for operation in ordered)
    first = (0, 0, before, 0)
    seen = {first}
    stack = [first]
    while stack:
        low, bits, state, count = stack.pop()
        if count == must and state == after:
            return True
        for index in _may_be_next(ordered, low, bits):
            operation = ordered[index]
            answer, left = done(state, operation.viewer < operation.fid, operation.act)
            if operation.optional:
                # Without an effect it is as if it were not done.
                if left == state:
                    continue
            elif answer not in operation.answers:
                continue
            new = (*_with(low, bits, index), left, count + (not operation.optional))
            if new not in seen:
                seen.add(new)
                stack.append(new)
    return False


def _may_be_next(ordered: Sequence[Operation], low: int, bits: int) -> Iterator[int]:
    """What is not done yet and began before anything else that is not done yet had ended."""
    bound_ns = NEVER_NS
    candidates = []
    for index in range(low, len(ordered)):
        if bits >> (index - low) & 1:
            continue
        operation = ordered[index]
        if operation.started_ns > bound_ns:
            break
        candidates.append(index)
        if not operation.optional:
            bound_ns = min(bound_ns, operation.ended_ns)
    return (index for index in candidates if ordered[index].started_ns <= bound_ns)


def _with(low: int, bits: int, index: int) -> tuple[int, int]:
    """One more done."""
    bits |= 1 << (index - low)
    while bits & 1:
        low += 1
        bits >>= 1
    return low, bits


def unexplained(
    history: Iterable[Operation], before: Mapping[Pair, State], after: Mapping[Pair, State]
) -> dict[Pair, list[Operation]]:
    """The pairs whose history has no such order, with what is known of them. A pair that is not named has nothing."""
    of_pair: defaultdict[Pair, list[Operation]] = defaultdict(list)
    for operation in history:
        of_pair[operation.pair].append(operation)
    pairs = {*of_pair, *before, *after}
    return {
        pair: sorted(of_pair[pair])
        for pair in sorted(pairs)
        if not explained(of_pair[pair], before.get(pair, NOTHING), after.get(pair, NOTHING))
    }
