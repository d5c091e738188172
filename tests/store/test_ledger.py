"""A group of writes in memory equals the same writes one by one, and its counters equal a recount. Contract: 5.1."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upspace.model import AccountState, Change, CounterMode, Pair, Relation, Standing
from upspace.store.ledger import Key, Ledger

MIDS = (1, 2, 3)
ATTRIBUTES = (0, 1, 2, 128)

STEPS = st.lists(
    st.tuples(st.permutations(MIDS), st.sampled_from(ATTRIBUTES), st.sampled_from(ATTRIBUTES), st.integers(1, 5)),
    max_size=12,
)


def side(owner: int, other: int, attribute: int, back: int, mtime: int) -> Relation | None:
    """One side of a pair, mutual if both follow."""
    if attribute == 0:
        return None
    return Relation(owner, other, 6 if attribute == back == 2 else attribute, mtime)


def play(ledger: Ledger, steps: list[tuple[list[int], int, int, int]]) -> None:
    """Set pairs to what the steps say."""
    for (owner, other, _), forward, backward, mtime in steps:

        def rule(pair: Pair, forward: int = forward, backward: int = backward, mtime: int = mtime) -> Change:
            return Change(
                side(pair.mid, pair.fid, forward, backward, mtime), side(pair.fid, pair.mid, backward, forward, mtime)
            )

        ledger.decide(owner, other, rule)


def left_by(ledger: Ledger, before: Mapping[Key, Relation]) -> dict[Key, Relation]:
    """All relations after what a ledger has changed."""
    relations = dict(before)
    for key, old, new in ledger.changed_relations():
        assert old == before.get(key)
        assert old != new
        if new is None:
            del relations[key]
        else:
            relations[key] = new
    return relations


def counted(mid: int, relations: Mapping[Key, Relation]) -> Standing:
    """The counters of an account as a recount finds them."""
    own = [relation.attribute for (owner, _), relation in relations.items() if owner == mid]
    towards = [relation.attribute for (_, other), relation in relations.items() if other == mid]
    return Standing(
        mid,
        following=sum(attribute in (2, 6) for attribute in own),
        whisper=own.count(1),
        black=own.count(128),
        follower=sum(attribute in (2, 6) for attribute in towards),
    )


@given(STEPS, st.integers(0, 12))
def test_counters_equal_a_recount_wherever_a_group_ends(steps: list[tuple[list[int], int, int, int]], cut: int) -> None:
    standings = {mid: Standing(mid) for mid in MIDS}
    relations: dict[Key, Relation] = {}
    for group in (steps[:cut], steps[cut:]):
        ledger = Ledger(standings, relations)
        play(ledger, group)
        relations = left_by(ledger, relations)
        standings = standings | {standing.mid: standing for standing in ledger.changed_standings()}
        assert standings == {mid: counted(mid, relations) for mid in MIDS}
    whole = Ledger({mid: Standing(mid) for mid in MIDS}, {})
    play(whole, steps)
    assert left_by(whole, {}) == relations


def test_what_comes_back_to_where_it_was_is_not_written() -> None:
    ledger = Ledger({mid: Standing(mid) for mid in MIDS}, {})
    play(ledger, [([1, 2, 3], 2, 0, 1), ([1, 2, 3], 0, 0, 1)])
    assert list(ledger.changed_relations()) == []
    assert list(ledger.changed_standings()) == []


def test_a_rule_that_refuses_leaves_everything_as_it_was() -> None:
    ledger = Ledger({mid: Standing(mid) for mid in MIDS}, {})
    play(ledger, [([1, 2, 3], 2, 0, 1)])

    def refuse(pair: Pair) -> Change:
        assert pair.forward == Relation(1, 2, 2, 1)
        assert (pair.owner, pair.target) == (Standing(1, following=1), Standing(2, follower=1))
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        ledger.decide(1, 2, refuse)
    assert [key for key, _, _ in ledger.changed_relations()] == [(1, 2)]


def test_counters_of_a_deleted_account_stay_zero_and_reported_ones_never_fall_below() -> None:
    followed = {(1, 2): Relation(1, 2, 2, 1), (3, 1): Relation(3, 1, 2, 1)}
    ledger = Ledger({1: Standing(1), 2: Standing(2, AccountState.DELETED), 3: Standing(3, following=1)}, followed)
    play(ledger, [([1, 2, 3], 0, 0, 1), ([3, 1, 2], 0, 0, 1)])
    assert left_by(ledger, followed) == {}
    assert list(ledger.changed_standings()) == [Standing(3)]


def test_a_counter_at_its_end_stays_there() -> None:
    end = Standing(2, counter_mode=CounterMode.REPORTED, follower=2**63 - 1)
    ledger = Ledger({1: Standing(1), 2: end}, {})
    play(ledger, [([1, 2, 3], 2, 0, 1)])
    assert list(ledger.changed_standings()) == [Standing(1, following=1)]


def test_an_account_that_is_not_known_is_told_to_the_rule() -> None:
    def look(pair: Pair) -> Change:
        assert (pair.mid, pair.fid, pair.target) == (1, 9, None)
        return Change(None, None)

    Ledger({1: Standing(1)}, {}).decide(1, 9, look)
