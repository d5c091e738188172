"""Loads into every store: what becomes of their rows, what is refused, and that nothing is loaded by half."""

from collections.abc import Iterator

import pytest
from every_engine import Run, T
from msgspec.structs import replace
from store_oracle import BLACK, FOLLOWING, MUTUAL, SPECIAL, WHISPER, Oracle, assert_agrees, follow, profile, reported

from upspace.model import AccountState, Listed, Relation, Standing, Window
from upspace.store.interface import AccountDeletedError, Store, StoreError, UnknownAccountsError


def test_both_sides_of_a_pair_become_mutual_in_whatever_order_they_come(store: Store, run: Run) -> None:
    run(store.load([profile(1), profile(2), profile(3)], [follow(1, 2), follow(1, 3)]))
    assert run(store.relations(1, [2, 3]))[2].attribute == FOLLOWING
    run(store.load([], [follow(2, 1, 9)]))
    assert run(store.relations(1, [2, 3])) == {2: replace(follow(1, 2), attribute=MUTUAL), 3: follow(1, 3)}
    assert run(store.relations(2, [1])) == {1: replace(follow(2, 1, 9), attribute=MUTUAL)}


def test_an_imported_mutual_follow_is_a_follow_until_the_other_side_exists(store: Store, run: Run) -> None:
    run(store.load([profile(1), profile(2)], [Relation(1, 2, MUTUAL, 5)]))
    assert run(store.relations(1, [2])) == {2: follow(1, 2, 5)}


@pytest.mark.parametrize("attribute", [WHISPER, BLACK])
def test_a_follow_loaded_as_something_else_ends_the_mutual_state_and_leaves_the_lists(
    store: Store, run: Run, attribute: int
) -> None:
    run(store.load([profile(1), profile(2)], [follow(1, 2, 5), follow(2, 1, 6)]))
    run(store.load([], [Relation(1, 2, attribute, 7)]))
    assert run(store.relations(1, [2])) == {2: Relation(1, 2, attribute, 7)}
    assert run(store.relations(2, [1])) == {1: follow(2, 1, 6)}
    assert run(store.followings(1, Window(0, 9))).rows == []
    assert run(store.followers(2, Window(0, 9))).rows == []
    assert run(store.followers(1, Window(0, 9))).rows == [Listed(2, 6)]


def test_a_relation_loaded_again_replaces_its_instant_its_groups_and_its_source(store: Store, run: Run) -> None:
    run(store.load([profile(1), profile(2)], [Relation(1, 2, FOLLOWING, 5, (SPECIAL, 3), 11)]))
    run(store.load([], [Relation(1, 2, FOLLOWING, 8, (4,), 12)]))
    assert run(store.relations(1, [2])) == {2: Relation(1, 2, FOLLOWING, 8, (4,), 12)}
    assert run(store.followers(2, Window(0, 9))).rows == [Listed(1, 8)]


def test_of_a_relation_given_twice_in_one_load_the_last_counts(store: Store, run: Run) -> None:
    run(store.load([profile(1), profile(2)], [follow(1, 2, 5), Relation(1, 2, WHISPER, 6), follow(1, 2, 7)]))
    assert run(store.relations(1, [2])) == {2: follow(1, 2, 7)}
    assert run(store.followers(2, Window(0, 9))).rows == [Listed(1, 7)]
    assert run(store.standing(2)) == Standing(2, follower=1)


@pytest.mark.parametrize("last", [(4,), ()])
def test_of_a_relation_given_twice_in_one_load_the_groups_of_the_last_count(
    store: Store, run: Run, last: tuple[int, ...]
) -> None:
    run(store.load([profile(1), profile(2)], [follow(1, 2, 5, SPECIAL, 3), follow(1, 2, 7, *last)]))
    assert run(store.relations(1, [2])) == {2: follow(1, 2, 7, *last)}


def test_groups_come_back_ascending(store: Store, run: Run) -> None:
    run(store.load([profile(1), profile(2)], [follow(1, 2, 5, 30, 4, SPECIAL, 200)]))
    assert run(store.relations(1, [2]))[2].groups == (SPECIAL, 4, 30, 200)


def test_derived_counters_are_counted_whatever_the_load_says(store: Store, run: Run) -> None:
    wrong = Standing(1, following=50, whisper=50, black=50, follower=50)
    rows = [follow(1, 2), follow(1, 3), Relation(1, 4, WHISPER, 1), Relation(1, 5, BLACK, 1), follow(4, 1)]
    rows += [Relation(2, 1, WHISPER, 1), Relation(3, 1, BLACK, 1)]
    run(store.load([profile(1, standing=wrong), *map(profile, (2, 3, 4, 5))], rows))
    assert run(store.standing(1)) == Standing(1, following=2, whisper=1, black=1, follower=1)
    assert run(store.standing(2)) == Standing(2, whisper=1, follower=1)
    assert run(store.standing(4)) == Standing(4, following=1)


def test_reported_counters_stay_as_imported_whatever_is_stored(store: Store, run: Run) -> None:
    given = reported(1, following=17, whisper=1, black=2, follower=713)
    run(store.load([given, profile(2)], [follow(1, 2), follow(2, 1)]))
    run(store.load([], [Relation(1, 2, BLACK, 1)]))
    assert run(store.standing(1)) == given.standing
    assert run(store.standing(2)) == Standing(2, following=1)


def test_relations_of_unknown_accounts_are_refused_with_their_names(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    with pytest.raises(UnknownAccountsError, match="404"):
        run(store.load([profile(2)], [follow(1, 2), follow(1, 404)]))
    with pytest.raises(UnknownAccountsError, match="405"):
        run(store.load([profile(2)], [follow(405, 1)]))
    assert run(store.account(2)) is None


def test_an_account_cannot_be_related_to_itself(store: Store, run: Run) -> None:
    with pytest.raises(StoreError, match="itself"):
        run(store.load([profile(1)], [follow(1, 1)]))
    assert run(store.account(1)) is None


def test_a_deleted_account_is_not_loaded_again_and_gets_no_relations_of_its_own(store: Store, run: Run) -> None:
    run(store.load([profile(1), profile(2)], []))
    run(store.delete_account(1, 1))
    with pytest.raises(AccountDeletedError):
        run(store.load([profile(3), profile(1)], []))
    with pytest.raises(AccountDeletedError):
        run(store.load([profile(3)], [follow(1, 2)]))
    assert run(store.account(3)) is None
    assert run(store.standing(1)) == Standing(1, AccountState.DELETED)


def test_relations_of_others_to_a_deleted_account_may_be_loaded_and_count_for_the_others_alone(
    store: Store, run: Run
) -> None:
    run(store.load([profile(1), profile(2)], []))
    run(store.delete_account(1, 1))
    run(store.load([], [follow(2, 1, 5)]))
    assert run(store.followings(2, Window(0, 9))).rows == [Listed(1, 5)]
    assert run(store.standing(2)) == Standing(2, following=1)
    assert run(store.followers(1, Window(0, 9))).rows == []
    assert run(store.standing(1)) == Standing(1, AccountState.DELETED)


def test_only_a_deletion_makes_an_account_deleted(store: Store, run: Run) -> None:
    with pytest.raises(StoreError):
        run(store.load([profile(1, standing=Standing(1, AccountState.DELETED))], []))


def halfway(rows: list[T]) -> Iterator[T]:
    """The first half of the rows, and then what a broken file raises."""
    yield from rows[: len(rows) // 2]
    raise ValueError("line 3 is not JSON")


@pytest.mark.parametrize("broken", ["profiles", "relations"])
def test_a_load_that_breaks_halfway_leaves_nothing_behind(store: Store, run: Run, broken: str) -> None:
    oracle = Oracle()
    before = [profile(1), profile(2), reported(3, follower=9)], [follow(1, 2, 5, SPECIAL), follow(2, 1, 6)]
    oracle.load(*before)
    run(store.load(*before, {"cursor": "1"}))
    changes = run(store.changed_accounts(0))
    accounts = [profile(1, "other"), profile(4), profile(5), profile(6)]
    rows = [Relation(1, 2, BLACK, 9), follow(3, 1), follow(2, 3), follow(1, 3)]
    given_accounts = halfway(accounts) if broken == "profiles" else accounts
    given_rows = halfway(rows) if broken == "relations" else rows
    with pytest.raises(ValueError, match="line 3"):
        run(store.load(given_accounts, given_rows, {"cursor": "2"}))
    run(assert_agrees(store, oracle, range(1, 7)))
    assert run(store.mark("cursor")) == "1"
    assert run(store.changed_accounts(0)) == changes
    # And the store works on.
    oracle.load(accounts, rows)
    run(store.load(iter(accounts), iter(rows), {"cursor": "2"}))
    run(assert_agrees(store, oracle, range(1, 7)))
    assert run(store.mark("cursor")) == "2"


def test_a_refused_load_leaves_no_marks(store: Store, run: Run) -> None:
    with pytest.raises(UnknownAccountsError):
        run(store.load([profile(1)], [follow(1, 2)], {"cursor": "1"}))
    assert run(store.mark("cursor")) is None


def test_marks_are_replaced_one_by_one(store: Store, run: Run) -> None:
    run(store.load([], [], {"a": "1", "b": "2"}))
    run(store.load([], [], {"b": "3", "c": ""}))
    assert [run(store.mark(name)) for name in "abcd"] == ["1", "3", "", None]
