"""Who sees what: the tables of the contract, sections 1, 6.5, 6.6 and 9, as data."""

import pytest

from upspace.model import ListOwner
from upspace.relations.paging import page_window
from upspace.relations.visibility import ListKind, check_visible, visible_rows
from upspace.wire.errors import ContractError, FollowersHiddenError, FollowingsHiddenError, PageTooDeepError
from upspace.wire.profiles import PROFILES, Behaviour, OthersCap

TARGET = 7
ANONYMOUS, OTHER, SELF = None, 8, TARGET
FOLLOWERS, FOLLOWINGS, FANS = ListKind.FOLLOWERS, ListKind.FOLLOWINGS, ListKind.FANS

PAGES_5 = "pages 1 to 5"
ALL = None
PS = 30


def seen(kind: ListKind, viewer: int | None, owner: ListOwner, pn: int | None, behaviour: Behaviour) -> int | None:
    """How many rows there are for the viewer, by a page number or by a cursor (`pn` None); raises the refusals."""
    own = viewer == TARGET
    check_visible(kind, own, behaviour, owner, pn)
    return visible_rows(kind, own, behaviour, None if pn is None else PS)


# How deep each viewer sees. `recent` refuses the anonymous with -101 before this rule is asked;
# were it asked, the anonymous are others.
WHO_SEES_WHAT: list[tuple[str, ListKind, int | None, str | int | None]] = [
    ("seed", FOLLOWERS, ANONYMOUS, PAGES_5),
    ("seed", FOLLOWERS, OTHER, PAGES_5),
    ("seed", FOLLOWERS, SELF, 1000),
    ("seed", FOLLOWINGS, ANONYMOUS, PAGES_5),
    ("seed", FOLLOWINGS, OTHER, PAGES_5),
    ("seed", FOLLOWINGS, SELF, ALL),
    ("seed", FANS, ANONYMOUS, PAGES_5),
    ("seed", FANS, OTHER, PAGES_5),
    ("seed", FANS, SELF, 1000),
    ("recent", FOLLOWERS, ANONYMOUS, 1000),
    ("recent", FOLLOWERS, OTHER, 1000),
    ("recent", FOLLOWERS, SELF, 1000),
    ("recent", FOLLOWINGS, ANONYMOUS, 100),
    ("recent", FOLLOWINGS, OTHER, 100),
    ("recent", FOLLOWINGS, SELF, ALL),
    ("recent", FANS, ANONYMOUS, 100),
    ("recent", FANS, OTHER, 100),
    ("recent", FANS, SELF, 1000),
]

OPEN = ListOwner()
OWNERS = [
    pytest.param(OPEN, id="open, or unknown, or deleted"),
    pytest.param(ListOwner(following=5_000, follower=100_000), id="with long lists"),
]


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("pn", [None, 1, 5, 6, 1_000_000_000])
@pytest.mark.parametrize(("profile", "kind", "viewer", "depth"), WHO_SEES_WHAT)
def test_a_list_that_is_not_hidden_is_as_deep_as_the_tables_say(
    profile: str, kind: ListKind, viewer: int | None, depth: str | int | None, pn: int | None, owner: ListOwner
) -> None:
    behaviour = PROFILES[profile]
    if depth != PAGES_5:
        assert seen(kind, viewer, owner, pn, behaviour) == depth
    elif pn is None:
        assert seen(kind, viewer, owner, pn, behaviour) is ALL
    elif pn <= 5:
        assert seen(kind, viewer, owner, pn, behaviour) == 5 * PS
    else:
        with pytest.raises(PageTooDeepError):
            seen(kind, viewer, owner, pn, behaviour)


@pytest.mark.parametrize("pn", [None, 1, 6])
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("viewer", [ANONYMOUS, OTHER])
@pytest.mark.parametrize(
    ("kind", "owner", "refusal"),
    [
        (FOLLOWERS, ListOwner(hides_followers=True), FollowersHiddenError),
        (FANS, ListOwner(hides_followers=True), FollowersHiddenError),
        (FOLLOWINGS, ListOwner(hides_followings=True), FollowingsHiddenError),
        (FOLLOWERS, ListOwner(hides_followers=True, hides_followings=True), FollowersHiddenError),
        (FOLLOWINGS, ListOwner(hides_followers=True, hides_followings=True), FollowingsHiddenError),
    ],
)
def test_a_hidden_list_is_refused_to_everyone_else_before_its_depth_is_looked_at(
    kind: ListKind,
    owner: ListOwner,
    refusal: type[ContractError],
    viewer: int | None,
    profile: str,
    pn: int | None,
) -> None:
    with pytest.raises(refusal):
        seen(kind, viewer, owner, pn, PROFILES[profile])


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("kind", "rows"), [(FOLLOWERS, 1000), (FANS, 1000), (FOLLOWINGS, None)])
def test_a_hidden_list_stays_open_to_its_owner(kind: ListKind, rows: int | None, profile: str) -> None:
    hidden = ListOwner(hides_followings=True, hides_followers=True)
    assert seen(kind, SELF, hidden, 6, PROFILES[profile]) == rows


@pytest.mark.parametrize(
    ("kind", "owner"),
    [
        (FOLLOWERS, ListOwner(hides_followings=True)),
        (FANS, ListOwner(hides_followings=True)),
        (FOLLOWINGS, ListOwner(hides_followers=True)),
    ],
)
def test_hiding_one_list_leaves_the_other_open(kind: ListKind, owner: ListOwner) -> None:
    assert seen(kind, OTHER, owner, None, PROFILES["seed"]) is ALL


@pytest.mark.parametrize(
    ("followings", "followers", "depths"),
    [
        (OthersCap.ROWS, OthersCap.PAGES, {FOLLOWINGS: 100, FANS: 100, FOLLOWERS: PAGES_5}),
        (OthersCap.PAGES, OthersCap.ROWS, {FOLLOWINGS: PAGES_5, FANS: PAGES_5, FOLLOWERS: 1000}),
    ],
)
def test_each_cap_can_be_set_alone_and_fans_go_with_followings(
    followings: OthersCap, followers: OthersCap, depths: dict[ListKind, str | int]
) -> None:
    behaviour = Behaviour(others_cap_followings=followings, others_cap_followers=followers)
    for kind, depth in depths.items():
        if depth == PAGES_5:
            with pytest.raises(PageTooDeepError):
                seen(kind, OTHER, OPEN, 6, behaviour)
        else:
            assert seen(kind, OTHER, OPEN, 6, behaviour) == depth


@pytest.mark.parametrize("kind", ListKind)
def test_a_page_that_will_be_refused_is_not_read_first(kind: ListKind) -> None:
    rows = visible_rows(kind, False, PROFILES["seed"], PS)
    assert page_window(5, PS, rows=rows).size == PS
    assert page_window(6, PS, rows=rows).size == page_window(1_000_000_000, PS, rows=rows).size == 0
