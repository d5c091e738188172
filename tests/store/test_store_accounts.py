"""Accounts in every store: as they were loaded, changed one at a time, and deleted."""

from random import Random

import pytest
from every_engine import Run
from msgspec.structs import replace
from shown_accounts import listed_account, seen_account
from store_oracle import (
    BIGGEST,
    BLACK,
    SPECIAL,
    WHISPER,
    Oracle,
    assert_agrees,
    follow,
    profile,
    random_profile,
    random_relations,
    reported,
)

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
    Upstat,
    Window,
)
from upspace.store.interface import AccountDeletedError, Store

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
    assert run(store.listed_accounts([mid])) == {mid: listed_account(given)}
    assert run(store.standing(mid)) == given.standing
    counters = Counters(*(getattr(given.standing, name) for name in Counters.__struct_fields__))
    assert run(store.counters(mid)) == counters
    assert run(store.figures(mid)) == Figures(
        following=counters.following,
        follower=counters.follower,
        likes=given.upstat.likes,
        archive_count=given.upstat.archive_count,
        article_count=given.upstat.article_count,
        newest_change=run(store.newest_change()),
    )
    assert run(store.upstat(mid)) == given.upstat


@pytest.mark.parametrize(
    "name_render",
    ['{"colors_info":{"color":["#FB7299","\\u0001 \\"名\\" \\\\"]},"n":1.50,"empty":""}', "{}", "null", None],
)
def test_lists_are_given_the_rendering_of_a_name_as_it_is_stored(
    store: Store, run: Run, name_render: str | None
) -> None:
    decorations = '{"fans_badge":true%s}' % ("" if name_render is None else f',"name_render":{name_render}')
    run(store.load([replace(profile(1), account=Account(1, decorations=decorations)), profile(2)], []))
    found = run(store.listed_accounts([1, 2]))
    assert [found[mid].name_render for mid in (1, 2)] == [name_render, None]


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
    assert run(store.listed_accounts([1])) == {}
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
    asked = [*range(990, 1010), 7, 5, 5]
    found = run(store.accounts(asked))
    assert set(found) == {*range(990, 1001), 5}
    assert all(seen.account.mid == mid for mid, seen in found.items())
    assert run(store.listed_accounts(asked)) == {mid: listed_account(profile(mid)) for mid in found}


def test_asking_for_no_accounts_at_all_is_answered_with_none(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), [follow(1, 2)]))
    assert run(store.accounts([])) == {}
    assert run(store.listed_accounts([])) == {}
    assert run(store.relations(1, [])) == {}


def test_a_suspended_account_is_seen_as_such_and_counts_as_any_other(store: Store, run: Run) -> None:
    suspended = Profile(Account(1, birthday="12-31"), Standing(1, AccountState.SUSPENDED), Upstat(likes=5))
    run(store.load([suspended, profile(2)], [follow(1, 2), follow(2, 1)]))
    assert run(store.accounts([1, 2])) == {1: seen_account(suspended), 2: seen_account(profile(2))}
    assert run(store.accounts([1]))[1].state is AccountState.SUSPENDED
    assert run(store.counters(1)) == Counters(following=1, follower=1)
    assert run(store.figures(1)) == Figures(2, 1, 1, 5, 0, 0)
    assert run(store.followers(1, Window(0, 9))) == Page(ListOwner(following=1, follower=1), [2], [1], 2)


def test_an_account_loaded_again_is_replaced_whole(store: Store, run: Run) -> None:
    run(store.load([EVERYTHING], []))
    run(store.load([profile(BIGGEST, "new")], []))
    assert run(store.profile(BIGGEST)) == profile(BIGGEST, "new")


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
