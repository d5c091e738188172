"""The search of pair_history.py finds an order where there is one, and none where there is none (contract 5.1, 8.1)."""

import itertools
import random

import pytest
from contract_model import BLACK, FOLLOW, MUTUAL, NONE, WHISPER
from pair_history import ACTS, NEVER_NS, NOTHING, READ, Operation, State, codes_of, done, explained

ANN, BEA = 11, 22
FOLLOWS, BLOCKS = (FOLLOW, NONE), (BLACK, NONE)


def operation(started: int, ended: int, viewer: int, act: int, *answers: int) -> Operation:
    return Operation(started, ended, viewer, BEA if viewer == ANN else ANN, act, frozenset(answers))


@pytest.mark.parametrize(
    ("history", "after", "expected"),
    [
        ([], NOTHING, True),
        ([], FOLLOWS, False),
        ([operation(1, 2, ANN, 1, 0)], FOLLOWS, True),
        # An answer that was given and is not there in the end.
        ([operation(1, 2, ANN, 1, 0)], NOTHING, False),
        # The answer of a state that never was.
        ([operation(1, 2, ANN, 1, 22014)], FOLLOWS, False),
        # At the same time either order will do, and one after the other does not.
        ([operation(1, 4, ANN, 1, 0), operation(2, 3, ANN, 2, 0)], FOLLOWS, True),
        ([operation(1, 4, ANN, 1, 0), operation(2, 3, ANN, 2, 0)], NOTHING, True),
        ([operation(1, 2, ANN, 1, 0), operation(3, 4, ANN, 2, 0)], FOLLOWS, False),
        ([operation(1, 4, ANN, 5, 0), operation(2, 3, BEA, 1, 22002)], BLOCKS, True),
        ([operation(1, 4, ANN, 5, 0), operation(2, 3, BEA, 1, 0)], BLOCKS, True),
        ([operation(3, 4, ANN, 5, 0), operation(1, 2, BEA, 1, 22002)], BLOCKS, False),
        # Of two that follow at the same time one is too late; both cannot be first.
        ([operation(1, 3, ANN, 1, 0), operation(2, 4, ANN, 1, 22014)], FOLLOWS, True),
        ([operation(1, 3, ANN, 1, 0), operation(2, 4, ANN, 1, 0)], FOLLOWS, False),
        # A read that comes late and sees what was before.
        ([operation(1, 2, ANN, 1, 0), operation(3, 4, ANN, READ, NONE)], FOLLOWS, False),
        ([operation(1, 3, ANN, 1, 0), operation(2, 4, ANN, READ, NONE)], FOLLOWS, True),
        # Without a reply it may have been done, later as well, or not; and it stands behind nothing.
        ([operation(1, NEVER_NS, ANN, 1)], FOLLOWS, True),
        ([operation(1, NEVER_NS, ANN, 1)], NOTHING, True),
        ([operation(1, NEVER_NS, ANN, 1)], BLOCKS, False),
        ([operation(1, NEVER_NS, ANN, 1), operation(2, 3, ANN, 2, 0)], FOLLOWS, True),
        ([operation(1, NEVER_NS, ANN, 1), operation(2, 3, ANN, 3, 0)], FOLLOWS, True),
        ([operation(1, NEVER_NS, ANN, 1), operation(2, 3, ANN, 3, 0)], (WHISPER, NONE), True),
        ([operation(2, NEVER_NS, ANN, 1), operation(0, 1, ANN, READ, FOLLOW)], FOLLOWS, False),
        # Several answers are as good.
        ([operation(1, 2, ANN, 1, 0, 22014)], FOLLOWS, True),
    ],
)
def test_an_order_is_found_where_there_is_one(history: list[Operation], after: State, expected: bool) -> None:
    assert explained(history, NOTHING, after) is expected


def test_the_codes_of_an_act() -> None:
    assert {act: codes_of(act) for act in ACTS} == {
        1: {0, 22002, 22003, 22014},
        2: {0},
        3: {0, 22002, 22003, 22014},
        4: {0},
        5: {0, 22120},
        6: {0},
        7: {0},
    }
    assert codes_of(READ) == {NONE, WHISPER, FOLLOW, MUTUAL, BLACK}


def by_trying_all(history: list[Operation], after: State) -> bool:
    """The definition: every order, with and without what is optional."""
    numbers = range(len(history))
    for size in range(len(history) + 1):
        for chosen in itertools.permutations(numbers, size):
            if any(not history[number].optional for number in set(numbers) - set(chosen)):
                continue
            order = [history[number] for number in chosen]
            if any(late.ended_ns < early.started_ns for early, late in itertools.combinations(order, 2)):
                continue
            state = NOTHING
            for one in order:
                answer, state = done(state, one.viewer < one.fid, one.act)
                if not one.optional and answer not in one.answers:
                    break
            else:
                if state == after:
                    return True
    return False


def test_the_search_agrees_with_trying_all() -> None:
    chance = random.Random(20)
    found = []
    for _ in range(1500):
        history = []
        state = NOTHING
        for _ in range(chance.randint(2, 5)):
            started = chance.randrange(16)
            viewer, act = chance.choice((ANN, BEA)), chance.choice((READ, 1, 1, 2, 3, 5, 6, 7))
            if chance.random() < 0.2:
                history.append(operation(started, NEVER_NS, viewer, act))
                continue
            # Answers of the order drawn: about half of the histories have an order then.
            answer, state = done(state, viewer == ANN, act)
            history.append(operation(started, started + chance.randrange(4), viewer, act, answer))
        expected = by_trying_all(history, state)
        assert explained(history, NOTHING, state) is expected, (history, state)
        found.append(expected)
    assert 500 < sum(found) < 1300, sum(found)
