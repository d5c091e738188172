"""What every store must do. A further engine is one more row of ENGINES.

UPSPACE_TEST_CITUS_URL names a database on a Citus cluster to try as well; all that a store keeps there is removed.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from hashlib import sha256
from random import Random
from typing import Any, Protocol, TypeVar

import pytest
from citus_stand_in import CITUS_URL, as_if_distributed, emptied_cluster
from msgspec.structs import replace
from store_oracle import (
    BLACK,
    FOLLOWING,
    MUTUAL,
    SPECIAL,
    WHISPER,
    Oracle,
    assert_agrees,
    follow,
    newest_first,
    profile,
    random_profile,
    random_relations,
    reported,
    seen_account,
)
from stores import Stores

from upspace.model import (
    Account,
    AccountState,
    Change,
    CounterMode,
    Counters,
    Figures,
    Listed,
    ListOwner,
    Page,
    Pair,
    Profile,
    Relation,
    Standing,
    Token,
    Upstat,
    Viewer,
    Window,
)
from upspace.store import open_store
from upspace.store.interface import AccountDeletedError, Store, StoreError, StoreLastsError, UnknownAccountsError

T = TypeVar("T")

BIGGEST = 2**63 - 1


class Run(Protocol):
    """Runs a coroutine to its end. A test has one loop, so an engine may keep connections that belong to it."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


# Each makes an empty store.
ENGINES: dict[str, Callable[[Stores], str]] = {
    "sqlite memory": lambda _: "sqlite://",
    "sqlite file": lambda stores: stores.new("sqlite"),
    "postgresql": lambda stores: stores.new("postgresql"),
    "postgresql as if distributed": lambda stores: as_if_distributed(stores.new("postgresql")),
}
if CITUS_URL:
    ENGINES["citus"] = lambda _: emptied_cluster()


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, run: Run, stores: Stores) -> Iterator[Store]:
    url = ENGINES[request.param](stores)
    store = run(open_store(url))
    yield store
    run(store.close())
    if url != CITUS_URL:
        stores.drop(url)


# Accounts


EVERYTHING = Profile(
    Account(
        mid=BIGGEST,
        name="名 <&> '\"\\ \u2028 \U0001f600",
        sex="女",
        face="http://i0.hdslb.com/face.jpg",
        face_nft=1,
        sign="line\nline\ttab",
        rank=32000,
        level=6,
        coins=12.5,
        birthday="12-31",
        is_senior_member=1,
        nft_icon="icon",
        official='{"role":1,"title":"名"}',
        vip='{"type":2}',
        decorations="{}",
    ),
    Standing(
        BIGGEST,
        AccountState.SUSPENDED,
        hides_followings=True,
        hides_followers=False,
        hides_birthday=True,
        counter_mode=CounterMode.REPORTED,
        following=17,
        whisper=3,
        black=4,
        follower=BIGGEST,
    ),
    Upstat(BIGGEST, 2, 3, 4, 5),
)


@pytest.mark.parametrize("given", [EVERYTHING, profile(1)], ids=["everything set", "defaults"])
def test_an_account_comes_back_as_it_was_loaded(store: Store, run: Run, given: Profile) -> None:
    mid = given.account.mid
    run(store.load([given], []))
    assert run(store.profile(mid)) == given
    assert run(store.account(mid)) == (given.account, given.standing)
    assert run(store.accounts([mid])) == {mid: seen_account(given)}
    assert run(store.standing(mid)) == given.standing
    counters = Counters(*(getattr(given.standing, name) for name in Counters.__struct_fields__))
    assert run(store.counters(mid)) == counters
    assert run(store.figures(mid)) == Figures(counters, given.upstat, run(store.newest_change()))
    assert run(store.upstat(mid)) == given.upstat


@pytest.mark.parametrize("flag", ["hides_followings", "hides_followers", "hides_birthday"])
def test_each_privacy_flag_is_kept_on_its_own(store: Store, run: Run, flag: str) -> None:
    standing = replace(Standing(1), **{flag: True})
    run(store.load([profile(1, standing=standing)], []))
    assert run(store.standing(1)) == standing
    assert run(store.accounts([1]))[1].hides_birthday == standing.hides_birthday
    owner = ListOwner(standing.hides_followings, standing.hides_followers)
    assert run(store.followers(1, Window(0, 9))).owner == run(store.followings(1, Window(0, 9))).owner == owner


def test_what_was_never_known_is_none_or_empty(store: Store, run: Run) -> None:
    assert run(store.profile(1)) is None
    assert run(store.account(1)) is None
    assert run(store.standing(1)) is None
    assert run(store.counters(1)) is None
    assert run(store.figures(1)) is None
    assert run(store.upstat(1)) is None
    assert run(store.accounts([1])) == {}
    assert run(store.relations(1, [2])) == {}
    assert run(store.followers(1, Window(0, 50))) == Page(ListOwner(), [], [], 0)
    assert run(store.followings(1, Window(0, 50))) == Page(ListOwner(), [], [], 0)
    assert run(store.followers_rank(1, Listed(1, 1), 50)) == 0
    assert run(store.tokens()) == []
    assert run(store.viewer(b"\0" * 32, 0)) is None
    assert run(store.mark("x")) is None
    assert run(store.changed_accounts(0)) == (0, ())
    assert run(store.newest_change()) == 0


def test_many_accounts_are_read_at_once_and_the_unknown_are_left_out(store: Store, run: Run) -> None:
    run(store.load([profile(mid) for mid in range(1, 1001)], []))
    run(store.delete_account(7, 1))
    found = run(store.accounts([*range(990, 1010), 7, 5, 5]))
    assert set(found) == {*range(990, 1001), 5}
    assert all(seen.account.mid == mid for mid, seen in found.items())


def test_asking_for_no_accounts_at_all_is_answered_with_none(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), [follow(1, 2)]))
    assert run(store.accounts([])) == {}
    assert run(store.relations(1, [])) == {}


def test_a_suspended_account_is_seen_as_such_and_counts_as_any_other(store: Store, run: Run) -> None:
    suspended = Profile(Account(1, birthday="12-31"), Standing(1, AccountState.SUSPENDED), Upstat(likes=5))
    run(store.load([suspended, profile(2)], [follow(1, 2), follow(2, 1)]))
    assert run(store.accounts([1, 2])) == {1: seen_account(suspended), 2: seen_account(profile(2))}
    assert run(store.accounts([1]))[1].state is AccountState.SUSPENDED
    assert run(store.counters(1)) == Counters(following=1, follower=1)
    assert run(store.figures(1)) == Figures(Counters(following=1, follower=1), Upstat(likes=5), 2)
    assert run(store.followers(1, Window(0, 9))) == Page(ListOwner(following=1, follower=1), [2], [1], 2)


def test_an_account_loaded_again_is_replaced_whole(store: Store, run: Run) -> None:
    run(store.load([EVERYTHING], []))
    run(store.load([profile(BIGGEST, "new")], []))
    assert run(store.profile(BIGGEST)) == profile(BIGGEST, "new")


# Loading


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


# Lists


@pytest.fixture(params=range(2))
def crowd(request: pytest.FixtureRequest, store: Store, run: Run) -> Oracle:
    """The store filled with 80 accounts that have 900 relations, and the oracle of it."""
    random = Random(request.param)
    mids = [*range(1, 79), BIGGEST - 1, BIGGEST]
    oracle = Oracle()
    relations = random_relations(random, mids, [*range(1, 4), BIGGEST], 200)
    relations += random_relations(random, [1, 2, BIGGEST], mids, 150)
    relations += random_relations(random, mids, mids, 700)
    oracle.load([random_profile(random, mid) for mid in mids], relations)
    run(store.load(oracle.profiles.values(), oracle.rows.values()))
    return oracle


def test_every_answer_about_a_crowd_is_computed_from_its_rows(store: Store, run: Run, crowd: Oracle) -> None:
    run(assert_agrees(store, crowd, crowd.profiles))


def test_a_window_is_a_slice_of_the_list_in_the_order_asked_for(store: Store, run: Run, crowd: Oracle) -> None:
    async def check() -> None:
        random = Random(5)
        for mid in (1, 2, 3, 50, BIGGEST):
            for _ in range(40):
                start, size, ascending = random.randrange(90), random.randrange(1, 51), random.random() < 0.5
                window, rows = Window(start, size, ascending), slice(start, start + size)
                step = -1 if ascending else 1
                assert (await store.followers(mid, window)).rows == crowd.followers(mid)[::step][rows]
                assert (await store.followings(mid, window)).rows == crowd.followings(mid)[::step][rows]
                special = crowd.followings_special_first(mid, ascending)[rows]
                assert (await store.followings(mid, window, special_first=True)).rows == special

    assert len(crowd.followers(BIGGEST)) > 30 < len(crowd.followings(1))
    run(check())


@pytest.mark.parametrize("size", [1, 7, 50])
def test_pages_after_the_last_row_cover_a_list_exactly_once(store: Store, run: Run, crowd: Oracle, size: int) -> None:
    async def pages(vmid: int) -> list[Listed]:
        seen = page = (await store.followers(vmid, Window(0, size))).rows
        while page:
            page = (await store.followers(vmid, Window(0, size, after=page[-1]))).rows
            assert len(page) <= size
            seen = seen + page
        return seen

    for vmid in (1, 2, BIGGEST):
        assert run(pages(vmid)) == crowd.followers(vmid)


def test_a_row_to_start_after_need_not_be_in_the_list_any_more(store: Store, run: Run) -> None:
    run(store.load(map(profile, range(1, 7)), [follow(mid, 1, 10 * (mid // 2)) for mid in range(2, 7)]))
    rows = [Listed(6, 30), Listed(5, 20), Listed(4, 20), Listed(3, 10), Listed(2, 10)]
    after = {
        Listed(7, 30): rows,
        Listed(6, 30): rows[1:],
        Listed(1, 30): rows[1:],
        Listed(BIGGEST, BIGGEST): rows,
        Listed(9, 25): rows[1:],
        Listed(5, 20): rows[2:],
        Listed(3, 20): rows[3:],
        Listed(2, 10): [],
        Listed(1, 0): [],
    }
    for row, expected in after.items():
        assert run(store.followers(1, Window(0, 9, after=row))).rows == expected
        assert run(store.followers(1, Window(1, 2, after=row))).rows == expected[1:3]


def test_the_rank_of_a_row_counts_what_is_as_new_or_newer_up_to_the_limit(
    store: Store, run: Run, crowd: Oracle
) -> None:
    async def check() -> None:
        random = Random(6)
        for vmid in (1, BIGGEST, 40):
            rows = crowd.followers(vmid)
            for row in [*rows, Listed(5, 1_700_000_002), Listed(1, 0), Listed(BIGGEST, BIGGEST)]:
                limit = random.choice((1, 10, 100))
                newer = [other for other in rows if (other.mtime, other.mid) >= (row.mtime, row.mid)]
                assert await store.followers_rank(vmid, row, limit) == min(limit, len(newer))

    run(check())


def test_relations_are_those_of_the_owner_to_the_accounts_asked_for(store: Store, run: Run, crowd: Oracle) -> None:
    random = Random(7)
    for owner in (1, 2, 33, BIGGEST):
        others = random.sample(sorted(crowd.profiles), 30)
        expected = {mid: row for mid, row in crowd.relations(owner).items() if mid in others}
        assert run(store.relations(owner, [*others, 999, others[0]])) == expected
    assert any(row.attribute == MUTUAL for row in crowd.relations(1).values())


def test_a_whisper_is_in_no_list(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), [Relation(1, 2, WHISPER, 5, (SPECIAL,))]))
    assert run(store.followings(1, Window(0, 9))).rows == []
    assert run(store.followings(1, Window(0, 9), special_first=True)).rows == []
    assert run(store.followers(2, Window(0, 9))).rows == []
    assert run(store.followers_rank(2, Listed(1, 1), 9)) == 0
    assert run(store.relations(1, [2])) == {2: Relation(1, 2, WHISPER, 5, (SPECIAL,))}


# Changing one account


def test_a_change_reads_decides_and_writes(store: Store, run: Run) -> None:
    run(store.load([EVERYTHING], []))
    seen: list[Profile | None] = []

    def decide(current: Profile | None) -> Profile:
        seen.append(current)
        assert current is not None
        return replace(current, account=replace(current.account, name="new"), upstat=Upstat(likes=9))

    changed = run(store.change_account(BIGGEST, decide))
    assert seen == [EVERYTHING]
    assert changed == replace(EVERYTHING, account=replace(EVERYTHING.account, name="new"), upstat=Upstat(likes=9))
    assert run(store.profile(BIGGEST)) == changed


def test_a_change_of_an_unknown_account_creates_it(store: Store, run: Run) -> None:
    seen: list[Profile | None] = []

    def decide(current: Profile | None) -> Profile:
        seen.append(current)
        return profile(5)

    assert run(store.change_account(5, decide)) == profile(5)
    assert (seen, run(store.profile(5))) == ([None], profile(5))


def test_a_change_counts_derived_counters_itself_and_takes_reported_ones(store: Store, run: Run) -> None:
    run(store.load([profile(1), profile(2)], [follow(1, 2), follow(2, 1)]))
    wrong = replace(Standing(1), following=9, follower=9)
    assert run(store.change_account(1, lambda _: profile(1, standing=wrong))).standing == Standing(
        1, following=1, follower=1
    )
    given = reported(1, following=9, follower=9)
    assert run(store.change_account(1, lambda _: given)) == given
    assert run(store.change_account(1, lambda _: profile(1))).standing == Standing(1, following=1, follower=1)


def test_a_change_leaves_the_relations_as_they_are(store: Store, run: Run) -> None:
    oracle = Oracle()
    oracle.load(map(profile, (1, 2)), [follow(1, 2, 5, SPECIAL), follow(2, 1)])
    run(store.load(oracle.profiles.values(), oracle.rows.values()))
    oracle.profiles[1] = profile(1, "new")
    run(store.change_account(1, lambda _: profile(1, "new")))
    run(assert_agrees(store, oracle, (1, 2)))


def test_a_change_whose_rule_refuses_changes_nothing(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    changes = run(store.changed_accounts(0))

    def refuse(current: Profile | None) -> Profile:
        raise KeyError("not today")

    with pytest.raises(KeyError, match="not today"):
        run(store.change_account(1, refuse))
    assert run(store.profile(1)) == profile(1)
    assert run(store.changed_accounts(0)) == changes
    assert run(store.change_account(1, lambda _: profile(1, "new"))) == profile(1, "new")


def test_a_change_of_no_relations_is_done_at_once(store: Store, run: Run) -> None:
    def never(pair: Pair) -> Change:
        raise AssertionError(pair)

    run(store.load([profile(1)], []))
    assert run(store.change_relations(1, [], never)) == {}


def test_a_deleted_account_cannot_be_changed(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    run(store.delete_account(1, 1))
    with pytest.raises(AccountDeletedError):
        run(store.change_account(1, lambda _: profile(1)))
    assert run(store.account(1)) is None


# Deletion


def test_a_deletion_has_every_effect_of_the_contract(store: Store, run: Run) -> None:
    hidden = Standing(1, hides_followings=True, hides_followers=True, hides_birthday=True)
    accounts = [profile(1, standing=hidden), profile(2), reported(3, following=5, follower=70), profile(4), profile(5)]
    rows = [
        follow(1, 2, 5, SPECIAL),
        follow(1, 3, 6),
        Relation(1, 4, WHISPER, 7),
        Relation(1, 5, BLACK, 8),
        follow(2, 1, 9, 3),
        follow(3, 1, 10),
        Relation(4, 1, WHISPER, 11),
        Relation(5, 1, BLACK, 12),
        follow(2, 3, 13),
    ]
    run(store.load(accounts, rows))
    assert run(store.delete_account(1, 100)) is True
    # It is gone from sight, and final.
    assert run(store.account(1)) is None
    assert run(store.profile(1)) is None
    assert run(store.upstat(1)) is None
    assert run(store.figures(1)) is None
    assert run(store.counters(1)) == Counters()
    assert run(store.accounts([1, 2])) == {2: seen_account(accounts[1])}
    assert run(store.standing(1)) == Standing(1, AccountState.DELETED)
    # Its lists and its own relations are empty, and it hides nothing any more.
    newest = run(store.newest_change())
    assert run(store.followers(1, Window(0, 9))) == Page(ListOwner(), [], [], newest)
    assert run(store.followings(1, Window(0, 9))) == Page(ListOwner(), [], [], newest)
    assert run(store.followers_rank(1, Listed(2, 1), 9)) == 0
    assert run(store.relations(1, [2, 3, 4, 5])) == {}
    # It has left the lists and counters of those it followed, reported counters included.
    assert run(store.followers(2, Window(0, 9))).rows == []
    assert run(store.followers(3, Window(0, 9))).rows == [Listed(2, 13)]
    assert run(store.standing(3)) == replace(accounts[2].standing, follower=69)
    # The relations of others to it stay, count for them, and are no longer mutual.
    assert run(store.relations(2, [1])) == {1: follow(2, 1, 9, 3)}
    assert run(store.relations(3, [1])) == {1: follow(3, 1, 10)}
    assert run(store.relations(4, [1])) == {1: Relation(4, 1, WHISPER, 11)}
    assert run(store.relations(5, [1])) == {1: Relation(5, 1, BLACK, 12)}
    assert run(store.followings(2, Window(0, 9))).rows == [Listed(3, 13), Listed(1, 9)]
    assert run(store.standing(2)) == Standing(2, following=2)
    assert run(store.standing(4)) == Standing(4, whisper=1)
    assert run(store.standing(5)) == Standing(5, black=1)


def test_a_deletion_happens_once(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), [follow(1, 2)]))
    assert [run(store.delete_account(mid, 5)) for mid in (1, 1, 404)] == [True, False, False]
    assert run(store.standing(2)) == Standing(2)
    assert run(store.standing(404)) is None


def test_no_reported_counter_falls_below_zero(store: Store, run: Run) -> None:
    run(store.load([profile(1), reported(2, follower=0)], [follow(1, 2)]))
    run(store.delete_account(1, 5))
    assert run(store.standing(2)) == reported(2).standing


def test_two_who_follow_each_other_can_both_be_deleted(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), [follow(1, 2), follow(2, 1)]))
    run(store.delete_account(1, 5))
    run(store.delete_account(2, 6))
    assert run(store.standing(1)) == Standing(1, AccountState.DELETED)
    assert run(store.standing(2)) == Standing(2, AccountState.DELETED)
    assert run(store.relations(2, [1])) == {}


@pytest.mark.parametrize("seed", range(3))
def test_after_random_acts_every_answer_is_that_of_a_recount(store: Store, run: Run, seed: int) -> None:
    random = Random(seed)
    mids = list(range(1, 13))
    oracle = Oracle()
    oracle.load([random_profile(random, mid) for mid in mids])
    run(store.load(oracle.profiles.values(), []))
    for step in range(40):
        living = sorted(oracle.profiles)
        act = random.random()
        if act < 0.6:
            accounts = [random_profile(random, mid) for mid in random.sample(living, random.randrange(3))]
            rows = random_relations(random, living, mids, random.randrange(1, 25))
            oracle.load(accounts, rows)
            run(store.load(accounts, rows))
        elif act < 0.9 or len(living) < 6:
            changed = random_profile(random, random.choice(living))
            oracle.load([changed])
            run(store.change_account(changed.account.mid, lambda _, changed=changed: changed))  # type: ignore[misc]  # a default binds the value
        else:
            mid = random.choice(living)
            oracle.delete(mid)
            assert run(store.delete_account(mid, step)) is True
        run(assert_agrees(store, oracle, mids))
    assert len(oracle.deleted) > 0


# Tokens


def token(text: str, mid: int, issued: int = 10, **more: Any) -> Token:
    return Token(sha256(text.encode()).digest(), mid, issued, **more)


def test_a_token_names_its_account_until_it_expires(store: Store, run: Run) -> None:
    suspended = Standing(2, AccountState.SUSPENDED)
    run(store.load([profile(1), profile(2, standing=suspended)], []))
    short, forever = token("short", 1, expires=100), token("forever", 2, note="for tests")
    run(store.put_token(short))
    run(store.put_token(forever))
    assert run(store.viewer(short.digest, 99)) == Viewer(1, AccountState.NORMAL)
    assert run(store.viewer(short.digest, 100)) is None
    assert run(store.viewer(forever.digest, BIGGEST)) == Viewer(2, AccountState.SUSPENDED)
    assert run(store.viewer(token("unknown", 1).digest, 0)) is None
    assert run(store.viewer(short.digest[:-1], 0)) is None
    assert run(store.viewer(b"", 0)) is None


def test_tokens_are_listed_by_account_and_age(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), []))
    given = [
        token("a", 2, 5),
        token("b", 1, 30, expires=40, note="n"),
        token("c", 1, 10),
        token("d", 2, 1),
        token("e", 1, 20, revoked=21),
    ]
    for each in given:
        run(store.put_token(each))
    in_order = sorted(given, key=lambda each: (each.mid, each.issued))
    assert run(store.tokens()) == in_order
    assert run(store.tokens(1)) == in_order[:3]
    assert run(store.tokens(3)) == []


def test_a_token_needs_an_account_that_exists(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    run(store.delete_account(1, 5))
    for mid in (1, 404):
        with pytest.raises(UnknownAccountsError, match=str(mid)):
            run(store.put_token(token("t", mid)))
    assert run(store.tokens()) == []


def test_tokens_of_an_account_are_revoked_together_and_once(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), []))
    mine, also_mine, other = token("a", 1), token("b", 1), token("c", 2)
    for each in (mine, also_mine, other):
        run(store.put_token(each))
    assert [run(store.revoke_tokens(now, mid=1)) for now in (50, 60)] == [2, 0]
    assert run(store.viewer(mine.digest, 49)) is None
    assert run(store.viewer(other.digest, 51)) == Viewer(2, AccountState.NORMAL)
    assert [each.revoked for each in run(store.tokens())] == [50, 50, None]


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 63, 64])
def test_a_token_is_revoked_by_the_beginning_of_its_digest(store: Store, run: Run, length: int) -> None:
    run(store.load([profile(1)], []))
    all_tokens = [token(str(number), 1) for number in range(40)]
    for each in all_tokens:
        run(store.put_token(each))
    prefix = all_tokens[7].digest.hex()[:length]
    matching = [each.digest for each in all_tokens if each.digest.hex().startswith(prefix)]
    assert run(store.revoke_tokens(50, digest_prefix=prefix)) == len(matching)
    revoked = [each.digest for each in run(store.tokens()) if each.revoked == 50]
    assert sorted(revoked) == sorted(matching)


def test_a_prefix_in_capitals_means_the_same_digest(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    run(store.put_token(token("a", 1)))
    assert run(store.revoke_tokens(50, digest_prefix=token("a", 1).digest.hex().upper()[:9])) == 1


@pytest.mark.parametrize(
    "prefix",
    [
        "0" * 64,
        "zz",
        "' or 1=1",
        "f" * 65,
        "%",
        "_",
    ],
)
def test_a_prefix_of_no_digest_revokes_nothing(store: Store, run: Run, prefix: str) -> None:
    run(store.load([profile(1)], []))
    run(store.put_token(token("a", 1)))
    assert run(store.revoke_tokens(50, digest_prefix=prefix)) == 0
    assert run(store.tokens()) == [token("a", 1)]


def test_revoking_counts_the_tokens_that_held_until_now(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    run(store.put_token(token("a", 1, expires=20)))
    run(store.put_token(token("b", 1)))
    assert run(store.revoke_tokens(50, mid=1)) == 1


def test_a_deletion_voids_the_tokens_of_the_account_alone(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), []))
    mine, earlier, other = token("a", 1, 10), token("b", 1, 20, revoked=30), token("c", 2)
    for each in (mine, earlier, other):
        run(store.put_token(each))
    run(store.delete_account(1, 77))
    assert run(store.viewer(mine.digest, 1)) is None
    assert run(store.viewer(other.digest, 1)) == Viewer(2, AccountState.NORMAL)
    assert [each.revoked for each in run(store.tokens())] == [77, 30, None]


# What has changed


def test_the_accounts_that_were_written_are_named_from_the_change_on_that_is_known(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2, 3)), []))
    first, mids = run(store.changed_accounts(0))
    assert sorted(mids or ()) == [1, 2, 3]
    assert run(store.changed_accounts(first)) == (first, ())
    run(store.change_account(2, lambda _: profile(2, "new")))
    second, mids = run(store.changed_accounts(first))
    assert second > first
    assert list(mids or ()) == [2]
    run(store.delete_account(3, 5))
    third, mids = run(store.changed_accounts(second))
    assert list(mids or ()) == [3]
    assert sorted(set(run(store.changed_accounts(first))[1] or ())) == [2, 3]
    assert run(store.changed_accounts(third)) == (third, ())


def test_the_newest_change_comes_with_all_that_is_shown_together_with_accounts(store: Store, run: Run) -> None:
    def numbers() -> set[int]:
        window = Window(0, 9)
        figures = run(store.figures(1))
        assert figures is not None
        pages = [run(store.followers(1, window)), run(store.followings(1, window)), run(store.followers(404, window))]
        return {run(store.newest_change()), figures.newest_change, *(page.newest_change for page in pages)}

    run(store.load(map(profile, (1, 2)), [follow(1, 2)]))
    seen, _ = run(store.changed_accounts(0))
    assert numbers() == {seen}
    for write in (
        lambda: store.load([profile(3)], []),
        lambda: store.change_account(2, lambda _: profile(2, "new")),
        lambda: store.delete_account(3, 5),
        lambda: store.load(map(profile, range(10, 2000)), []),
    ):
        run(write())
        (newest,) = numbers()
        assert newest > seen
        seen = newest
    assert run(store.changed_accounts(seen)) == (seen, ())


def test_relations_tokens_and_refusals_write_no_account(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), []))
    newest, _ = run(store.changed_accounts(0))
    run(store.load([], [follow(1, 2)], {"mark": "1"}))
    run(store.put_token(token("a", 1)))
    run(store.delete_account(404, 5))
    with pytest.raises(UnknownAccountsError):
        run(store.load([profile(1)], [follow(1, 404)]))
    assert run(store.changed_accounts(newest)) == (newest, ())
    assert run(store.newest_change()) == newest


def test_a_load_of_very_many_accounts_says_that_all_have_changed(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    seen, _ = run(store.changed_accounts(0))
    run(store.load(map(profile, range(2, 5002)), []))
    newest, mids = run(store.changed_accounts(seen))
    assert mids is None
    assert run(store.changed_accounts(newest)) == (newest, ())
    run(store.load([profile(3)], []))
    assert list(run(store.changed_accounts(newest))[1] or ()) == [3]
    assert run(store.changed_accounts(0))[1] is None
    assert len(run(store.accounts(range(1, 6000)))) == 5001


def test_many_small_changes_are_named_or_all_but_never_left_out(store: Store, run: Run) -> None:
    for start in range(1, 1501, 300):
        run(store.load(map(profile, range(start, start + 300)), []))
    seen, named = 0, set[int]()
    while True:
        newest, mids = run(store.changed_accounts(seen))
        if newest == seen:
            break
        named |= set(range(1, 1501) if mids is None else mids)
        seen = newest
    assert named == set(range(1, 1501))


# Snapshots


def test_a_store_in_memory_goes_back_to_what_it_was_and_one_that_lasts_refuses(store: Store, run: Run) -> None:
    run(store.load([profile(1), profile(2)], [follow(1, 2)]))
    if store.url != "sqlite://":
        with pytest.raises(StoreLastsError, match="only a store in memory"):
            run(store.snapshot())
        with pytest.raises(StoreLastsError, match="only a store in memory"):
            run(store.restore(b""))
        assert run(store.counters(2)) == Counters(0, 0, 0, 1)
        return
    empty_change = run(store.newest_change())
    snapshot = run(store.snapshot())
    group = run(store.create_group(1, lambda _: "a group"))
    run(store.load([profile(3)], [follow(3, 2), follow(2, 1)]))
    run(store.delete_account(1, 5))
    for _ in range(2):
        run(store.restore(snapshot))
        assert run(store.counters(1)) == Counters(1, 0, 0, 0)
        assert run(store.counters(2)) == Counters(0, 0, 0, 1)
        assert run(store.profile(3)) is None
        assert run(store.groups(1)) == []
        assert run(store.newest_change()) == empty_change
        assert run(store.create_group(1, lambda _: "a group")) == group


# Connections


def test_a_store_may_be_closed_twice(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    run(store.close())
    run(store.close())
    with pytest.raises(StoreError):
        run(store.account(1))


def test_lists_of_the_oracle_itself_are_in_the_order_of_the_contract() -> None:
    rows = [Listed(1, 5), Listed(9, 5), Listed(3, 7), Listed(2, 5)]
    assert newest_first(rows) == [Listed(3, 7), Listed(9, 5), Listed(2, 5), Listed(1, 5)]
