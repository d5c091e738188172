"""Whole lists from the real server, in both profiles, on both engines: all that is there, and where it is cut."""

from collections.abc import Iterator

import pytest
from client_forms import FORMS, Connect, connecting
from client_world import (
    BLACK,
    CROWD,
    HIDER,
    READER,
    REPORTED,
    SPECIAL,
    STAR,
    UNDERSTATED,
    UNKNOWN,
    WHISPER,
    fill,
    token_of,
)
from conftest import Served, quiet_server
from stores import Stores

from upspace.client import Client, Cut, Walk
from upspace.wire.errors import FollowersHiddenError, FollowingsHiddenError, NotSignedInError, UnknownGroupError
from upspace.wire.groups import GroupItem
from upspace.wire.relations import RelationItem

OLDEST, NEWEST = list(CROWD), list(reversed(CROWD))


@pytest.fixture(scope="module")
def url(stores: Stores, engine: str) -> str:
    url = stores.new(engine)
    fill(url)
    return url


@pytest.fixture(scope="module")
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with quiet_server(tmp_path_factory.mktemp("server"), "--store", url) as served:
        yield served


@pytest.fixture(scope="module")
def recent_server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with quiet_server(tmp_path_factory.mktemp("recent"), "--store", url, "--profile", "recent") as served:
        yield served


@pytest.fixture(params=FORMS)
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with connecting(request.param) as connect:
        yield connect


Walked = tuple[list[int], int | None, Cut | None]


def walked(walk: Walk[RelationItem] | Walk[GroupItem]) -> Walked:
    """What a walk brings, and what it says at its end."""
    assert (walk.total, walk.cut) == (None, None)
    mids = [item.mid for item in walk]
    return mids, walk.total, walk.cut


def test_the_lists_of_others_end_at_the_page_cap(connect: Connect, server: Served) -> None:
    client = connect(server.url)
    assert walked(client.walk_followers(STAR)) == (NEWEST[:250], 260, Cut.PAGE_CAP)
    assert walked(client.walk_followers(STAR, ps=7, order="asc")) == (OLDEST[:35], 260, Cut.PAGE_CAP)
    assert walked(client.walk_followings(STAR)) == (OLDEST[:250], 260, Cut.PAGE_CAP)
    assert walked(client.walk_followings(STAR, order="asc")) == (NEWEST[:250], 260, Cut.PAGE_CAP)
    assert walked(client.walk_search_followings(STAR)) == (OLDEST[:250], 260, Cut.PAGE_CAP)
    assert walked(client.walk_search_followings(STAR, "name 11")) == ([*range(1100, 1200)], 100, None)
    # Its cursor knows no pages.
    assert walked(client.walk_fans(STAR)) == (NEWEST, 260, None)
    assert walked(client.walk_fans(STAR, ps=20)) == (NEWEST, 260, None)


def test_a_list_of_exactly_five_pages_is_not_cut(connect: Connect, server: Served) -> None:
    # Whether there is a sixth page only the total can say.
    client = connect(server.url)
    assert walked(client.walk_followings(READER, ps=24)) == ([*reversed(CROWD[:120])], 120, None)
    assert walked(client.walk_followings(READER, ps=23)) == ([*reversed(CROWD[5:120])], 120, Cut.PAGE_CAP)


def test_own_lists_are_whole(connect: Connect, server: Served) -> None:
    star, reader = (connect(server.url, token=token_of(mid)) for mid in (STAR, READER))
    assert walked(star.walk_followers(STAR)) == (NEWEST, 260, None)
    assert walked(star.walk_followings(STAR)) == (OLDEST, 260, None)
    follows = [*reversed(CROWD[:120])]
    assert walked(reader.walk_followings(READER, order_type="attention")) == (follows, 120, None)
    assert walked(reader.walk_same_followings(STAR, ps=11)) == (follows, 120, None)
    whispers, blacks, members = reader.walk_whispers(), reader.walk_blacks(), reader.walk_group_members(SPECIAL)
    assert walked(whispers) == ([*reversed(CROWD[120:180])], None, None)
    assert walked(blacks) == ([*reversed(CROWD[180:])], 80, None)
    assert walked(members) == (follows, None, None)
    assert walked(reader.walk_group_members(SPECIAL, ps=10, order_type="attention")) == (follows, None, None)
    assert next(reader.walk_whispers()).attribute == WHISPER
    assert next(reader.walk_blacks()).attribute == BLACK


def test_a_row_cap_leaves_fewer_rows_than_the_total(connect: Connect, recent_server: Served) -> None:
    client = connect(recent_server.url, token=token_of(READER))
    assert walked(client.walk_followings(STAR)) == (OLDEST[:100], 260, Cut.FEWER_THAN_TOTAL)
    assert walked(client.walk_fans(STAR, ps=30)) == (NEWEST[:100], 260, Cut.FEWER_THAN_TOTAL)
    assert walked(client.walk_followers(STAR)) == (NEWEST, 260, None)


def test_an_account_that_is_stored_in_part(connect: Connect, server: Served) -> None:
    client = connect(server.url)
    rows = NEWEST[-10:]
    assert walked(client.walk_followers(REPORTED)) == (rows, 500, Cut.FEWER_THAN_TOTAL)
    assert walked(client.walk_fans(REPORTED, ps=5)) == (rows, 500, Cut.FEWER_THAN_TOTAL)
    # All rows come, also those that its figures do not know of.
    for ps in (1, 2, 5, 50):
        assert walked(client.walk_fans(UNDERSTATED, ps=ps)) == (rows, 2, None)
    # Whether there would be more on a sixth page, such figures cannot say.
    assert walked(client.walk_followers(UNDERSTATED, ps=2)) == (rows, 2, Cut.PAGE_CAP)


def test_an_empty_list(connect: Connect, server: Served) -> None:
    assert walked(connect(server.url).walk_followers(UNKNOWN)) == ([], 0, None)


def test_a_refused_walk_raises(connect: Connect, server: Served) -> None:
    anonymous, reader = connect(server.url), connect(server.url, token=token_of(READER))
    for refused, walk in (
        (FollowersHiddenError, anonymous.walk_followers(HIDER)),
        (FollowersHiddenError, anonymous.walk_fans(HIDER)),
        (FollowingsHiddenError, anonymous.walk_followings(HIDER)),
        (NotSignedInError, anonymous.walk_whispers()),
        (UnknownGroupError, reader.walk_group_members(7777)),
    ):
        for _ in range(2):
            with pytest.raises(refused):
                next(walk)
        assert (walk.total, walk.cut) == (None, None)


def test_a_page_size_out_of_range_is_an_error_before_anything_is_sent(connect: Connect) -> None:
    client: Client = connect("http://127.0.0.1:9")
    for ps in (0, -1, 51):
        with pytest.raises(ValueError, match="ps must be from 1 to 50"):
            client.walk_followers(STAR, ps=ps)
