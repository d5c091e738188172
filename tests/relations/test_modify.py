"""The state machine of a pair: what holds after any acts whatever. Contract: 5.1, 8.1.

Each single step is a row of the table in tests/writes/modify_table.py.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from upspace.model import AccountState, Change, Pair, Relation, Standing
from upspace.relations.modify import modify
from upspace.wire.errors import (
    BadRequestError,
    BlockedByTargetError,
    ContractError,
    TargetBlockedError,
    TargetDeletedError,
    TooManyBlacksError,
    TooManyFollowingsError,
    UnknownAccountError,
)
from upspace.wire.profiles import Quotas

A, B = 1, 2
FOLLOW, UNFOLLOW, WHISPER, UNWHISPER, BLOCK, UNBLOCK, REMOVE_FOLLOWER = range(1, 8)
UNDOING = (UNFOLLOW, UNWHISPER, UNBLOCK, REMOVE_FOLLOWER)

STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 7), st.integers(0, 3)), max_size=30)


@dataclass
class World:
    """Two accounts and what each is to the other."""

    relations: dict[tuple[int, int], Relation] = field(default_factory=dict)
    now: int = 1_000

    def pair(self, owner: int) -> Pair:
        """The pair as a rule of `owner` sees it."""
        other = A + B - owner
        return Pair(
            owner,
            other,
            Standing(owner),
            Standing(other),
            self.relations.get((owner, other)),
            self.relations.get((other, owner)),
        )

    def act(self, owner: int, act: int) -> Change:
        """Let `owner` act; a refusal is raised and changes nothing."""
        other = A + B - owner
        change = modify(self.pair(owner), act, self.now, 0, Quotas())
        for key, relation in (((owner, other), change.forward), ((other, owner), change.backward)):
            if relation is None:
                self.relations.pop(key, None)
            else:
                self.relations[key] = relation
        return change

    def attributes(self) -> tuple[int, int]:
        """What each is to the other, 0 for nothing."""
        return tuple(self.relations[key].attribute if key in self.relations else 0 for key in ((A, B), (B, A)))  # type: ignore[return-value]  # two keys


def played(steps: list[tuple[bool, int, int]]) -> World:
    """The world after these steps: who acts, how, and how many seconds later."""
    world = World()
    for first, act, later in steps:
        world.now += later
        try:
            world.act(A if first else B, act)
        except ContractError:
            continue
    return world


@given(STEPS)
def test_mutual_is_on_both_sides_or_on_none_and_only_of_follows(steps: list[tuple[bool, int, int]]) -> None:
    forward, backward = played(steps).attributes()
    assert (forward == 6) == (backward == 6)
    assert (forward, backward) != (2, 2)


@given(STEPS)
def test_who_is_blocked_neither_follows_nor_whispers(steps: list[tuple[bool, int, int]]) -> None:
    forward, backward = played(steps).attributes()
    if forward == 128:
        assert backward in (0, 128)
    if backward == 128:
        assert forward in (0, 128)


@given(STEPS, st.booleans(), st.sampled_from(UNDOING))
def test_undoing_is_never_refused_and_done_once(steps: list[tuple[bool, int, int]], first: bool, act: int) -> None:
    world = played(steps)
    owner = A if first else B
    once = world.act(owner, act)
    world.now += 5
    assert world.act(owner, act) == once


@given(STEPS, st.booleans(), st.integers(1, 7))
def test_a_relation_of_another_account_is_never_written(
    steps: list[tuple[bool, int, int]], first: bool, act: int
) -> None:
    world = played(steps)
    owner = A if first else B
    try:
        change = world.act(owner, act)
    except ContractError:
        return
    for relation, key in ((change.forward, (owner, A + B - owner)), (change.backward, (A + B - owner, owner))):
        assert relation is None or (relation.owner, relation.other) == key
        assert relation is None or relation.mtime <= world.now


@given(STEPS, st.booleans())
def test_groups_outlive_conversions_and_nothing_else(steps: list[tuple[bool, int, int]], first: bool) -> None:
    world = played(steps)
    owner, other = (A, B) if first else (B, A)
    relation = world.relations.get((owner, other))
    if relation is None or relation.attribute == 128:
        return
    world.relations[owner, other] = replace(relation, groups=(-10, 7))
    kept = world.act(owner, FOLLOW if relation.attribute == 1 else WHISPER).forward
    assert kept is not None
    assert kept.groups == (-10, 7)
    blocked = world.act(owner, BLOCK).forward
    assert blocked is not None
    assert blocked.groups == ()


def test_each_side_of_a_new_mutual_pair_takes_the_instant_and_the_rest_keeps_its_own() -> None:
    world = World()
    world.act(B, FOLLOW)
    world.now += 10
    world.act(A, FOLLOW)
    assert [relation.mtime for relation in world.relations.values()] == [1_010, 1_010]
    world.now += 10
    left = world.act(A, UNFOLLOW).backward
    assert left is not None
    assert (left.attribute, left.mtime) == (2, 1_010)


@pytest.mark.parametrize("act", [FOLLOW, WHISPER])
def test_the_refusals_of_a_follow_come_in_their_order(act: int) -> None:
    black = Relation(A, B, 128, 5)
    full = Standing(A, following=2, whisper=1)
    everything = Pair(A, B, full, Standing(B, AccountState.DELETED), black, replace(black, owner=B, other=A))
    few = Quotas(max_followings=3)

    def refusal(pair: Pair) -> type[Exception]:
        with pytest.raises(ContractError) as raised:
            modify(pair, act, 9, 0, few)
        return raised.type

    assert refusal(everything) is TargetDeletedError
    assert refusal(replace(everything, target=Standing(B))) is TargetBlockedError
    assert refusal(replace(everything, target=Standing(B), forward=None)) is BlockedByTargetError
    assert refusal(replace(everything, target=Standing(B), forward=None, backward=None)) is TooManyFollowingsError


def test_a_conversion_is_not_stopped_by_the_limit() -> None:
    full = Standing(A, following=3)
    pair = Pair(A, B, full, Standing(B), Relation(A, B, 2, 5), None)
    whispered = modify(pair, WHISPER, 9, 0, Quotas(max_followings=3)).forward
    assert whispered is not None
    assert whispered.attribute == 1


def test_the_limit_of_blocks_is_asked_last() -> None:
    pair = Pair(A, B, Standing(A, black=1), Standing(B), None, None)
    with pytest.raises(TooManyBlacksError):
        modify(pair, BLOCK, 9, 0, Quotas(max_blacks=1))
    with pytest.raises(TargetDeletedError):
        modify(replace(pair, target=Standing(B, AccountState.DELETED)), BLOCK, 9, 0, Quotas(max_blacks=1))


@pytest.mark.parametrize("act", range(1, 8))
def test_nobody_acts_on_the_unknown(act: int) -> None:
    pair = Pair(A, B, Standing(A), None, None, None)
    with pytest.raises(UnknownAccountError):
        modify(pair, act, 9, 0, Quotas())


@pytest.mark.parametrize("act", [0, 8, -1])
def test_there_are_seven_acts(act: int) -> None:
    with pytest.raises(BadRequestError):
        modify(World().pair(A), act, 9, 0, Quotas())
