"""Lists and relations in every store: their order, windows and ranks are those computed from the rows."""

from random import Random

import pytest
from every_engine import Run
from store_oracle import (
    BIGGEST,
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
)

from upspace.model import Listed, Relation, Window
from upspace.store.interface import Store


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


def test_lists_of_the_oracle_itself_are_in_the_order_of_the_contract() -> None:
    rows = [Listed(1, 5), Listed(9, 5), Listed(3, 7), Listed(2, 5)]
    assert newest_first(rows) == [Listed(3, 7), Listed(9, 5), Listed(2, 5), Listed(1, 5)]
