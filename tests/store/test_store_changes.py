"""What every store says has changed: each account that was written is named, or all of them are."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from every_engine import Run
from msgspec.structs import replace
from store_oracle import follow, profile, token

from upspace.model import AccountState, Change, Pair, Profile, Upstat, Window
from upspace.store.interface import Store, UnknownAccountsError


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


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (lambda one: replace(one, upstat=Upstat(likes=5)), []),
        (lambda one: replace(one, standing=replace(one.standing, hides_followers=True)), []),
        (lambda one: replace(one, standing=replace(one.standing, hides_birthday=True)), [2]),
        (lambda one: replace(one, standing=replace(one.standing, state=AccountState.SUSPENDED)), [2]),
        (lambda one: replace(one, account=replace(one.account, sign="new")), [2]),
        (lambda one: one, []),
    ],
)
def test_an_account_is_named_for_what_is_shown_of_it_not_for_its_figures(
    store: Store, run: Run, part: Callable[[Profile], Profile], names: list[int]
) -> None:
    run(store.load(map(profile, (1, 2)), []))
    seen, _ = run(store.changed_accounts(0))

    def change(current: Profile | None) -> Profile:
        assert current is not None
        return part(current)

    assert run(store.change_account(2, change)) == part(profile(2))
    assert list(run(store.changed_accounts(seen))[1] or ()) == names


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


def test_a_version_that_is_told_is_another_one_after_every_kind_of_write(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2, 3)), []))
    versions = [run(store.version())]
    for write in (
        lambda: store.load([profile(3, "new")], []),
        lambda: store.load([], [follow(1, 2)]),
        lambda: store.load([], [], {"mark": "1"}),
        lambda: store.change_account(2, lambda _: profile(2, "new")),
        lambda: store.put_token(token("a", 1)),
        lambda: store.revoke_tokens(5, mid=1),
        lambda: store.create_group(1, lambda _: "group"),
        lambda: store.delete_account(3, 5),
    ):
        run(write())
        versions.append(run(store.version()))
        assert run(store.version()) == versions[-1]
    told = [version for version in versions if version is not None]
    assert len(told) in (0, len(versions))
    assert len(set(told)) == len(told)


Write = Callable[[Store], Coroutine[Any, Any, object]]


def befriend(pair: Pair) -> Change:
    return Change(follow(pair.mid, pair.fid), follow(pair.fid, pair.mid))


async def use_a_group(store: Store) -> None:
    group_id = await store.create_group(5, lambda _: "group")
    await store.rename_group(5, group_id, lambda _: "other")
    await store.change_members(5, [4], lambda _: {4: (group_id,)})
    await store.delete_group(5, group_id)


# Of each kind of write, whose rows it writes; None stands for all.
WRITES: list[tuple[Write, set[int] | None]] = [
    (lambda store: store.change_relations(1, [2, 3], befriend), {1, 2, 3}),
    (lambda store: store.change_account(4, lambda _: replace(profile(4), upstat=Upstat(likes=5))), {4}),
    (lambda store: store.change_account(6, lambda _: profile(6)), {6}),
    (lambda store: store.put_token(token("a", 1)), set()),
    (lambda store: store.revoke_tokens(5, mid=1), set()),
    (lambda store: store.create_group(1, lambda _: "group"), set()),
    (lambda store: store.change_relations(2, range(10, 1009), befriend), {2, *range(10, 1009)}),
    (lambda store: store.change_relations(2, range(10, 1010), befriend), None),
    (use_a_group, set()),
    (lambda store: store.delete_account(5, 5), {4, 5}),
    (lambda store: store.load([], [], {"mark": "1"}), None),
]


@pytest.mark.parametrize(("write", "owners"), WRITES)
def test_commits_name_the_accounts_whose_rows_they_write(
    store: Store, run: Run, write: Write, owners: set[int] | None
) -> None:
    run(store.load(map(profile, range(1, 6)), [follow(5, 4), follow(3, 5)]))
    run(store.put_token(token("b", 1)))
    seen, _ = run(store.changed_owners(0))
    version = run(store.version())
    run(write(store))
    newest, named = run(store.changed_owners(seen))
    if version is None and newest == seen:
        # It says nothing of its version, and numbers no commits.
        assert named is None
        return
    assert newest > seen
    assert (None if named is None else set(named)) == owners
    assert list(run(store.changed_owners(newest))[1] or ()) == []


@pytest.mark.parametrize(("followed", "is_named"), [(999, True), (1_000, False)])
def test_a_deletion_names_those_who_have_lost_a_follower_unless_they_are_many(
    store: Store, run: Run, followed: int, is_named: bool
) -> None:
    others = range(2, 2 + followed)
    run(store.load(map(profile, (1, *others)), [follow(1, other) for other in others]))
    seen, _ = run(store.changed_owners(0))
    run(store.delete_account(1, 5))
    newest, named = run(store.changed_owners(seen))
    if newest > seen:
        assert (None if named is None else set(named)) == ({1, *others} if is_named else None)


def test_what_changes_nothing_is_no_commit(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), [follow(1, 2), follow(2, 1)]))
    before = run(store.changed_owners(0))
    run(store.change_relations(1, [2], lambda pair: Change(pair.forward, pair.backward)))
    run(store.delete_account(404, 5))
    with pytest.raises(UnknownAccountsError):
        run(store.put_token(token("a", 404)))
    assert run(store.changed_owners(0)) == before


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
