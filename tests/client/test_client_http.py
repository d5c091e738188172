"""Both clients against the real server over sockets, on both engines: what calls give, change and raise."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from client_forms import FORMS, Connect, connecting
from client_world import (
    BLACK,
    BLOCKER,
    CROWD,
    DELETED,
    FOLLOWING,
    HIDER,
    MUTUAL,
    READER,
    SPECIAL,
    STAR,
    START,
    SUSPENDED,
    UNKNOWN,
    WHISPER,
    WRITERS,
    fill,
    token_of,
)
from conftest import Served, quiet_server
from stores import Stores

from upspace.client import Client, Session
from upspace.server.viewer import csrf_of
from upspace.wire import errors
from upspace.wire.accounts import AccInfo, Card, Empty, Fingerprints, MyInfo, Nav, NavAnonymous, UpstatReply, View
from upspace.wire.codes import ACT_BLOCK, ACT_FOLLOW
from upspace.wire.groups import CreatedGroup, GroupItem, GroupReply
from upspace.wire.relations import FailedBatch, RelationAttribute, RelationItem, RelationStat


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


@pytest.fixture
def anonymous(connect: Connect, server: Served) -> Client:
    return connect(server.url)


@pytest.fixture
def reader(connect: Connect, server: Served) -> Client:
    return connect(server.url, token=token_of(READER))


@pytest.fixture(scope="module")
def writers() -> Iterator[int]:
    return count(WRITERS.start)


@pytest.fixture
def writer_mid(writers: Iterator[int]) -> int:
    return next(writers)


@pytest.fixture
def writer(connect: Connect, server: Served, writer_mid: int) -> Client:
    return connect(server.url, token=token_of(writer_mid))


# Accounts


def test_an_account_is_shown_as_the_types_of_the_wire(anonymous: Client, reader: Client) -> None:
    info = anonymous.acc_info(STAR)
    assert isinstance(info, AccInfo)
    assert (info.mid, info.name, info.sign, info.rank, info.is_followed) == (STAR, "name 1", "<&>", 10000, False)
    assert reader.acc_info(CROWD[0]).is_followed

    card = anonymous.card(STAR)
    assert isinstance(card, Card)
    assert (card.card.mid, card.card.fans, card.follower, card.like_num) == (str(STAR), 260, 260, 13)
    assert not card.space
    assert anonymous.card(STAR, photo=True).space

    assert anonymous.upstat(STAR) == UpstatReply(View(11), View(12), 13)
    assert anonymous.upstat(UNKNOWN) == UpstatReply(View(0), View(0), 0)
    assert anonymous.relation_stat(STAR) == RelationStat(STAR, 260, 0, 0, 260)
    assert reader.relation_stat(READER) == RelationStat(READER, 120, 60, 80, 1)


def test_who_is_logged_in_and_who_is_not(anonymous: Client, reader: Client) -> None:
    nav = reader.nav()
    assert isinstance(nav, Nav)
    assert (nav.isLogin, nav.mid, nav.uname) == (True, READER, "name 2")
    with pytest.raises(errors.NotSignedInError) as refused:
        anonymous.nav()
    assert isinstance(refused.value.data, NavAnonymous)
    assert refused.value.data.wbi_img == nav.wbi_img

    mine = reader.myinfo()
    assert isinstance(mine, MyInfo)
    assert (mine.mid, mine.following, mine.follower) == (READER, 120, 1)
    with pytest.raises(errors.NotSignedInError) as refused:
        anonymous.myinfo()
    assert refused.value.data is None


def test_what_clients_fetch_and_report_first(anonymous: Client) -> None:
    assert isinstance(anonymous.finger_spi(), Fingerprints)
    assert anonymous.ex_climb_wuzhi() == anonymous.ex_climb_wuzhi({"payload": "特别"}) == Empty()


# Lists


def mids_of(items: list[RelationItem] | list[GroupItem]) -> list[int]:
    return [item.mid for item in items]


def test_pages_of_lists(anonymous: Client) -> None:
    newest, oldest = list(reversed(CROWD)), list(CROWD)
    page = anonymous.followers(STAR)
    assert (mids_of(page.items), page.total) == (newest[:20], 260)
    assert isinstance(page.items[0], RelationItem)
    assert page.items[0].mtime == START + newest[0]
    assert mids_of(anonymous.followers(STAR, pn=2, ps=7).items) == newest[7:14]
    assert mids_of(anonymous.followers(STAR, ps=7, order="asc").items) == oldest[:7]

    assert mids_of(anonymous.followings(STAR, pn=5, ps=50).items) == oldest[200:250]
    assert mids_of(anonymous.followings(STAR, ps=3, order="asc").items) == newest[:3]

    fans = anonymous.fans(STAR, ps=5)
    assert (mids_of(fans.items), fans.total) == (newest[:5], 260)
    assert mids_of(anonymous.fans(STAR, ps=5, offset=fans.offset).items) == newest[5:10]
    assert mids_of(anonymous.fans(STAR, ps=5, pn=3).items) == newest[10:15]

    found = anonymous.search_followings(STAR, "NAME 112", ps=50)
    assert (mids_of(found.items), found.total) == ([*range(1120, 1130)], 10)
    assert anonymous.search_followings(STAR).total == 260
    assert mids_of(anonymous.search_followings(STAR, "name 112", pn=2, ps=4).items) == [*range(1124, 1128)]


def test_own_lists(reader: Client) -> None:
    follows, whispers, blacks = CROWD[:120], CROWD[120:180], CROWD[180:]
    special_first = reader.followings(READER, ps=3, order_type="attention")
    assert [item.tag for item in special_first.items] == [[SPECIAL]] * 3
    same = reader.same_followings(STAR, pn=2, ps=50)
    assert (mids_of(same.items), same.total) == ([*reversed(follows)][50:100], 120)
    assert mids_of(reader.whispers(pn=2).items) == [*reversed(whispers)][50:]
    black = reader.blacks(ps=2)
    assert (mids_of(black.items), black.total, black.items[0].attribute) == ([blacks[-1], blacks[-2]], 80, BLACK)
    assert mids_of(reader.friends().items) == mids_of(reader.friends(pn=1, ps=5).items) == [CROWD[0]]
    assert reader.friends(pn=2).items == []

    assert reader.special() == [*reversed(follows)]
    assert reader.special(pn=2, ps=10) == [*reversed(follows)][10:20]
    assert [(group.tagid, group.count) for group in reader.groups()] == [(SPECIAL, 120), (0, 0)]
    assert isinstance(reader.groups()[0], GroupReply)
    members = reader.group_members(SPECIAL, ps=50, pn=3, order_type="attention")
    assert isinstance(members[0], GroupItem)
    assert mids_of(members) == [*reversed(follows)][100:]
    assert reader.groups_of(follows[0]) == {"-10": "特别关注"}
    assert reader.groups_of(UNKNOWN) == {}


def test_relations(reader: Client) -> None:
    friend, whispered, blocked = CROWD[0], CROWD[120], CROWD[180]
    friendship = RelationAttribute(friend, MUTUAL, START + friend, [SPECIAL], 1)
    assert reader.relation(friend) == friendship
    assert reader.relation(UNKNOWN) == RelationAttribute(UNKNOWN, 0, 0, None, 0)
    shown = reader.relations(mid for mid in (friend, whispered, blocked, UNKNOWN))
    assert {mid: relation.attribute for mid, relation in shown.items()} == {
        str(friend): MUTUAL,
        str(whispered): WHISPER,
        str(blocked): BLACK,
    }
    both = reader.acc_relation(friend)
    assert both.relation == friendship
    assert both.be_relation == RelationAttribute(READER, MUTUAL, START, None, 0)


# Writes


def test_every_act_does_what_it_is_called(writer: Client, writer_mid: int) -> None:
    other = CROWD[1]

    def attribute(mid: int = other) -> int:
        return writer.relation(mid).attribute

    for act, after in (
        (writer.follow, FOLLOWING),
        (writer.unfollow, 0),
        (writer.whisper, WHISPER),
        (writer.unwhisper, 0),
        (writer.block, BLACK),
        (writer.unblock, 0),
    ):
        assert act(other, re_src=11) is None
        assert attribute() == after
    writer.modify(CROWD[0], ACT_FOLLOW)
    assert attribute(CROWD[0]) == MUTUAL
    writer.remove_follower(CROWD[0])
    assert attribute(CROWD[0]) == FOLLOWING
    assert writer.acc_relation(CROWD[0]).be_relation.mid == writer_mid


def test_many_accounts_at_once(writer: Client) -> None:
    assert writer.batch_modify([*CROWD[:3], UNKNOWN, BLOCKER], ACT_FOLLOW) == FailedBatch([UNKNOWN, BLOCKER])
    assert writer.batch_modify(iter(CROWD[:2]), ACT_BLOCK, re_src=3) == FailedBatch([])
    assert {mid: relation.attribute for mid, relation in writer.relations(CROWD[:3]).items()} == {
        str(CROWD[0]): BLACK,
        str(CROWD[1]): BLACK,
        str(CROWD[2]): FOLLOWING,
    }


def test_groups_from_beginning_to_end(writer: Client) -> None:
    fids = CROWD[:3]
    writer.batch_modify(fids, ACT_FOLLOW)
    made = writer.create_group(" 同学 + 100% ")
    assert isinstance(made, CreatedGroup)
    second = writer.create_group("second").tagid
    writer.rename_group(made.tagid, "first")
    assert [group.name for group in writer.groups()] == ["特别关注", "默认分组", "first", "second"]

    writer.set_members(fids, [made.tagid])
    writer.copy_members(fids[:1], [second, SPECIAL])
    assert writer.groups_of(fids[0]) == {"-10": "特别关注", str(made.tagid): "first", str(second): "second"}
    writer.move_members(fids, before=[made.tagid], after=[second])
    assert {item.mid for item in writer.group_members(second)} == set(fids)
    assert writer.group_members(made.tagid) == []
    writer.set_members(fids, [0])
    writer.delete_group(second)
    assert [group.tagid for group in writer.groups()] == [SPECIAL, 0, made.tagid]


# Refusals


def test_a_refusal_is_the_class_of_its_code(anonymous: Client, writer: Client, writer_mid: int) -> None:
    other = CROWD[1]
    writer.follow(other)
    writer.block(CROWD[2])
    tagid = writer.create_group("one").tagid
    refusals: list[tuple[Client, type[errors.ContractError], Callable[[Client], object]]] = [
        (anonymous, errors.BadRequestError, lambda c: c.acc_info(0)),
        (anonymous, errors.NotFoundError, lambda c: c.acc_info(UNKNOWN)),
        (anonymous, errors.NotFoundError, lambda c: c.card(DELETED)),
        (anonymous, errors.FollowersHiddenError, lambda c: c.followers(HIDER)),
        (anonymous, errors.FollowersHiddenError, lambda c: c.fans(HIDER)),
        (anonymous, errors.FollowingsHiddenError, lambda c: c.followings(HIDER)),
        (anonymous, errors.PageTooDeepError, lambda c: c.followings(STAR, pn=6)),
        (anonymous, errors.BadRequestError, lambda c: c.fans(STAR, offset="x")),
        (anonymous, errors.NotSignedInError, lambda c: c.relation(STAR)),
        (anonymous, errors.NotSignedInError, lambda c: c.follow(STAR)),
        (writer, errors.SelfTargetError, lambda c: c.follow(writer_mid)),
        (writer, errors.BlockedByTargetError, lambda c: c.whisper(BLOCKER)),
        (writer, errors.TargetBlockedError, lambda c: c.follow(CROWD[2])),
        (writer, errors.TargetDeletedError, lambda c: c.block(DELETED)),
        (writer, errors.AlreadyRelatedError, lambda c: c.follow(other)),
        (writer, errors.AlreadyBlockedError, lambda c: c.block(CROWD[2])),
        (writer, errors.UnknownAccountError, lambda c: c.unfollow(UNKNOWN)),
        (writer, errors.BadRequestError, lambda c: c.modify(other, 8)),
        (writer, errors.BadRequestError, lambda c: c.batch_modify([], ACT_FOLLOW)),
        (writer, errors.GroupNameCharactersError, lambda c: c.create_group("a&csrf=b")),
        (writer, errors.GroupNameTooLongError, lambda c: c.create_group("x" * 17)),
        (writer, errors.GroupNameTakenError, lambda c: c.create_group("one")),
        (writer, errors.UnknownGroupError, lambda c: c.delete_group(0)),
        (writer, errors.NotFollowedError, lambda c: c.set_members([STAR], [tagid])),
    ]
    for client, refused, call in refusals:
        with pytest.raises(refused) as caught:
            call(client)
        assert type(caught.value) is refused
        assert (caught.value.status, caught.value.data) == (200, None)
        assert str(caught.value) == refused.message


def test_a_suspended_account_may_not_write(connect: Connect, server: Served) -> None:
    suspended = connect(server.url, token=token_of(SUSPENDED))
    assert suspended.acc_info(SUSPENDED).silence == 1
    with pytest.raises(errors.ViewerSuspendedError):
        suspended.follow(STAR)


def test_a_browser_session_sends_its_csrf_value_with_writes(connect: Connect, server: Served, writer_mid: int) -> None:
    token = token_of(writer_mid)
    client = connect(server.url, session=Session(token, csrf_of(token)))
    assert client.nav().mid == writer_mid
    client.follow(CROWD[1])
    assert client.batch_modify([CROWD[2]], ACT_FOLLOW).failed_fids == []
    assert client.relation_stat(writer_mid).following == 2
    forged = connect(server.url, session=Session(token, "0" * 32))
    assert forged.nav().mid == writer_mid
    with pytest.raises(errors.CsrfError):
        forged.unfollow(CROWD[1])


def test_an_unknown_token_is_an_anonymous_viewer(connect: Connect, server: Served) -> None:
    client = connect(server.url, token=token_of(UNKNOWN))
    assert client.acc_info(STAR).mid == STAR
    with pytest.raises(errors.NotSignedInError):
        client.nav()


def test_a_path_that_the_server_does_not_have(connect: Connect, server: Served) -> None:
    with pytest.raises(errors.NotFoundError) as refused:
        connect(f"{server.url}/elsewhere").acc_info(STAR)
    assert refused.value.status == 404


def test_a_server_that_asks_for_a_long_pause_is_not_waited_for(connect: Connect, url: str, tmp_path: Path) -> None:
    with quiet_server(tmp_path, "--store", url, "--limit-address-reads", "1/86400") as served:
        client = connect(served.url)
        assert client.acc_info(STAR).mid == STAR
        with pytest.raises(errors.RateLimitedError) as refused:
            client.acc_info(STAR)
    assert 86_000 < refused.value.retry_after_s <= 86_400


# The other profile


def test_replies_of_profile_recent(connect: Connect, recent_server: Served) -> None:
    anonymous = connect(recent_server.url)
    reader = connect(recent_server.url, token=token_of(READER))
    assert anonymous.upstat(STAR) is None
    assert reader.upstat(STAR) == UpstatReply(View(11), View(12), 13)
    assert anonymous.acc_info(STAR).elec
    for list_of in (anonymous.followers, anonymous.followings, anonymous.fans, anonymous.search_followings):
        with pytest.raises(errors.NotSignedInError):
            list_of(STAR)
    page = reader.followers(STAR)
    assert (len(page.items), page.items[0].rec_reason) == (50, "")
    assert reader.group_members(SPECIAL)[0].name_render == {}
    assert reader.followers(STAR, pn=6).items
    with pytest.raises(errors.BadRequestError):
        reader.whisper(STAR)
