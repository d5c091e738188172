"""What groups are told over HTTP (contract 8.3): names, members, and every refusal in the order written there.

Each test has a viewer of its own with the same relations, and no groups yet.
"""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from conftest import client_of, quiet_server
from contract_codes import MESSAGES
from people import BLACK, FOLLOWING, WHISPER, person
from stores import Stores

from upspace.model import Relation, Token
from upspace.server.viewer import token_digest
from upspace.store import open_store

# More than there are tests on all engines together: how often the fixtures are made anew is for pytest to say.
VIEWERS = range(101, 300)
FIRST, SECOND, FRIEND, DELETED, WHISPERED, BLOCKED, STRANGER, UNKNOWN = 1, 2, 3, 4, 5, 6, 7, 999
FOLLOWED = (FIRST, SECOND, FRIEND, DELETED)
SPECIAL, DEFAULT, ALL = -10, 0, -20
START = 1_700_000_000

OK = {"code": 0, "message": "0", "ttl": 1}


def refused(code: int) -> dict[str, Any]:
    return {"code": code, "message": MESSAGES[code], "ttl": 1}


class Member(NamedTuple):
    """An account that asks for itself."""

    client: httpx.Client
    mid: int

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer token of {self.mid}"}

    def post(self, path: str, **params: str | int) -> dict[str, Any]:
        response = self.client.post(f"/x/relation/{path}", data=params, headers=self._headers)
        assert response.status_code == 200
        envelope: dict[str, Any] = response.json()
        return envelope

    def get(self, path: str, **params: str | int) -> Any:
        envelope = self.client.get(f"/x/relation{path}", params=params, headers=self._headers).json()
        assert envelope["code"] == 0
        return envelope["data"]

    def create(self, name: str) -> int:
        """The id of a new group."""
        envelope = self.post("tag/create", tag=name)
        assert envelope["code"] == 0, envelope
        assert envelope == OK | {"data": {"tagid": envelope["data"]["tagid"]}}
        return int(envelope["data"]["tagid"])

    def names(self) -> dict[int, str]:
        """The own groups."""
        return {group["tagid"]: group["name"] for group in self.get("/tags")[2:]}

    def state(self) -> tuple[dict[int, str], dict[int, list[int]]]:
        """The own groups, and the groups of every account that has some; `count` agrees with them."""
        shown = self.get("/relations", fids=",".join(map(str, (*FOLLOWED, WHISPERED, BLOCKED, STRANGER))))
        groups = {int(mid): relation["tag"] for mid, relation in shown.items() if relation["tag"]}
        listed = {mid: tag for mid, tag in groups.items() if mid in FOLLOWED}
        for group in self.get("/tags"):
            tagid = group["tagid"]
            inside = sum(tagid in tag for tag in listed.values()) if tagid else len(FOLLOWED) - len(listed)
            assert group["count"] == inside == len(self.get("/tag", tagid=tagid))
        return self.names(), groups


@pytest.fixture(scope="module")
def url(stores: Stores, engine: str) -> str:
    url = stores.new(engine)

    async def load() -> None:
        store = await open_store(url)
        relations = [
            Relation(viewer, mid, attribute, START + mid)
            for viewer in VIEWERS
            for mid, attribute in (*((mid, FOLLOWING) for mid in FOLLOWED), (WHISPERED, WHISPER), (BLOCKED, BLACK))
        ]
        back = [Relation(FRIEND, viewer, FOLLOWING, START) for viewer in VIEWERS]
        await store.load([person(mid) for mid in (*range(1, 8), *VIEWERS)], [*relations, *back])
        for viewer in VIEWERS:
            await store.put_token(Token(token_digest(f"token of {viewer}"), viewer, START))
        await store.delete_account(DELETED, START)
        await store.close()

    asyncio.run(load())
    return url


@pytest.fixture(scope="module")
def client(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with quiet_server(tmp_path_factory.mktemp("server"), "--store", url) as served, client_of(served) as client:
        yield client


@pytest.fixture(scope="module")
def mids() -> Iterator[int]:
    return count(VIEWERS.start)


@pytest.fixture
def viewer(client: httpx.Client, mids: Iterator[int]) -> Member:
    return Member(client, next(mids))


@pytest.fixture
def other(client: httpx.Client, mids: Iterator[int]) -> Member:
    """Another account with groups."""
    other = Member(client, next(mids))
    other.create("theirs")
    return other


# Names

GOOD_NAMES = {
    "a": "a",
    " a b ": "a b",
    "\t\r\n 名 \u3000": "名",
    "特别": "特别",
    "x" * 16: "x" * 16,
    "  " + "号" * 16 + "  ": "号" * 16,
    "🎉" * 16: "🎉" * 16,
    "e\u0301" * 8: "e\u0301" * 8,
    "`~!@#$%^*()_+-=": "`~!@#$%^*()_+-=",
    "[]{};:|./?": "[]{};:|./?",
    "，《》": "，《》",
    "0": "0",
    "-10": "-10",
}
BAD_NAMES = {
    **dict.fromkeys(("", " ", "\t\n", "\u3000"), -400),
    **dict.fromkeys((f"a{sign}b" for sign in ",<>\"'&\\"), 22101),
    **dict.fromkeys((f"a{sign}b" for sign in "\x00\x01\t\n\r\x1b\x1f\x7f\x80\x85\x9f"), 22101),
    **dict.fromkeys(("\x00", "\x7f", ",", "&", "'", " , "), 22101),
    # What a name consists of comes before how long it is.
    **dict.fromkeys(("x" * 16 + ",", "<" * 17, "x" * 5000 + "\\"), 22101),
    **dict.fromkeys(("x" * 17, "号" * 17, "🎉" * 17, "e\u0301" * 8 + "e", " " + "x" * 17, "x" * 5000), 22103),
    **dict.fromkeys(("特别关注", "默认分组", " 默认分组\n"), 22106),
}


@pytest.mark.parametrize("text", GOOD_NAMES)
def test_a_group_is_made_and_renamed_to_a_trimmed_name(viewer: Member, text: str) -> None:
    tagid = viewer.create(text)
    assert tagid >= 1
    assert viewer.names() == {tagid: GOOD_NAMES[text]}
    # The name that it has is free for itself, and for nothing else.
    assert viewer.post("tag/update", tagid=tagid, name=text) == OK
    assert viewer.post("tag/update", tagid=tagid, name=GOOD_NAMES[text]) == OK
    assert viewer.post("tag/create", tag=text) == refused(22106)
    assert viewer.post("tag/update", tagid=tagid, name="another") == OK
    assert viewer.post("tag/update", tagid=tagid, name=text) == OK
    assert viewer.state() == ({tagid: GOOD_NAMES[text]}, {})


def test_a_bad_name_is_refused_and_changes_nothing(viewer: Member) -> None:
    tagid, second = viewer.create("one"), viewer.create("two")
    for text, code in BAD_NAMES.items():
        assert viewer.post("tag/create", tag=text) == refused(code), text
        assert viewer.post("tag/update", tagid=tagid, name=text) == refused(code), text
    for text in ("two", " two "):
        assert viewer.post("tag/create", tag=text) == refused(22106)
        assert viewer.post("tag/update", tagid=tagid, name=text) == refused(22106)
    assert viewer.names() == {tagid: "one", second: "two"}


def test_a_name_is_ones_own_and_free_again_when_it_is_given_up(viewer: Member, other: Member) -> None:
    tagid = viewer.create("theirs")
    assert viewer.post("tag/update", tagid=tagid, name="ours") == OK
    second = viewer.create("theirs")
    assert viewer.post("tag/del", tagid=second) == OK
    third = viewer.create("theirs")
    assert viewer.names() == {tagid: "ours", third: "theirs"}
    assert list(other.names().values()) == ["theirs"]


def test_a_name_that_is_missing_is_a_bad_request_before_all_else(viewer: Member) -> None:
    assert viewer.post("tag/create") == refused(-400)
    for params in ({}, {"name": ""}, {"tag": "a"}):
        assert viewer.post("tag/update", tagid=7777, **params) == refused(-400)
    for params in ({}, {"tagid": ""}, {"tagid": "x"}):
        assert viewer.post("tag/update", name="a", **params) == refused(-400)
        assert viewer.post("tag/del", **params) == refused(-400)


def test_fifty_groups_are_enough(viewer: Member) -> None:
    ids = [viewer.create(f"group {number}") for number in range(50)]
    assert list(viewer.names()) == ids == sorted(ids)
    assert viewer.post("tag/create", tag="one more") == refused(22102)
    # The limit comes last.
    for text, code in BAD_NAMES.items():
        assert viewer.post("tag/create", tag=text) == refused(code)
    assert viewer.post("tag/create", tag="group 7") == refused(22106)
    # It does not count when a group is renamed.
    assert viewer.post("tag/update", tagid=ids[3], name="one more") == OK
    assert viewer.post("tag/create", tag="group 3") == refused(22102)
    assert viewer.post("tag/del", tagid=ids[49]) == OK
    assert viewer.create("group 3") > ids[49]


# Ids


def test_what_is_not_ones_own_group_cannot_be_renamed_or_deleted(viewer: Member, other: Member) -> None:
    tagid = viewer.create("a")
    (theirs,) = other.names()
    for wrong in (SPECIAL, DEFAULT, ALL, -1, theirs, theirs + 1000, 2**63 - 1, 10**30, -(10**30)):
        assert viewer.post("tag/del", tagid=wrong) == refused(22104)
        # Whose group it is comes before what it shall be called.
        for name in ("b", "a", "特别关注", "x" * 17, ",", " "):
            assert viewer.post("tag/update", tagid=wrong, name=name) == refused(22104)
    assert viewer.post("tag/del", tagid=tagid) == OK
    assert viewer.post("tag/del", tagid=tagid) == refused(22104)
    assert viewer.post("tag/update", tagid=tagid, name="a") == refused(22104)
    assert (list(viewer.names()), list(other.names())) == ([], [theirs])


def test_an_id_is_never_used_again(url: str, viewer: Member, other: Member, tmp_path: Path) -> None:
    used = []
    for who in (viewer, other, viewer, viewer, other):
        used.append(who.create("again"))
        assert who.post("tag/del", tagid=used[-1]) == OK
    assert used == sorted(set(used))
    # Another server on the same store goes on from there.
    with quiet_server(tmp_path, "--store", url) as served, client_of(served) as second:
        assert Member(second, viewer.mid).create("again") > used[-1]
    assert viewer.create("and again") > used[-1] + 1


# Members


def test_a_deleted_group_leaves_its_members_followed(viewer: Member) -> None:
    one, two = viewer.create("one"), viewer.create("two")
    fids = f"{FIRST},{SECOND},{DELETED}"
    assert viewer.post("tags/addUsers", fids=fids, tagids=one) == OK
    assert viewer.post("tags/copyUsers", fids=SECOND, tagids=f"{two},{SPECIAL}") == OK
    assert viewer.post("tag/del", tagid=one) == OK
    # Who was in no other group is back in the default one.
    assert viewer.state() == ({two: "two"}, {SECOND: [SPECIAL, two]})
    assert {item["mid"] for item in viewer.get("/tag", tagid=DEFAULT)} == {FIRST, FRIEND, DELETED}
    assert len(viewer.get("/tag", tagid=ALL)) == len(FOLLOWED)
    assert viewer.get("/tag/user", fid=FIRST) == {}


def test_add_sets_the_groups_to_exactly_those_given(viewer: Member) -> None:
    one, two = viewer.create("one"), viewer.create("two")
    for tagids, tag in (
        (f"{one}", [one]),
        (f"{two},{one}", [one, two]),
        (f"{SPECIAL}", [SPECIAL]),
        (f"{two},{SPECIAL},{two}", [SPECIAL, two]),
    ):
        assert viewer.post("tags/addUsers", fids=f"{FIRST},{FRIEND},{FIRST}", tagids=tagids) == OK
        assert viewer.state()[1] == {FIRST: tag, FRIEND: tag}
    # A 0 empties them, whatever stands beside it.
    for tagids in ("0", f"0,{one}", f"{SPECIAL},0", f"{one},{two},-0"):
        assert viewer.post("tags/addUsers", fids=f"{FIRST},{SECOND}", tagids=f"{one},{two}") == OK
        assert viewer.post("tags/addUsers", fids=FIRST, tagids=tagids) == OK
        assert viewer.state()[1] == {SECOND: [one, two], FRIEND: [SPECIAL, two]}


def test_copy_adds_and_ignores_0(viewer: Member) -> None:
    one, two = viewer.create("one"), viewer.create("two")
    assert viewer.post("tags/copyUsers", fids=f"{FIRST},{SECOND}", tagids=two) == OK
    assert viewer.post("tags/copyUsers", fids=f"{FIRST},{FRIEND}", tagids=f"{SPECIAL},{one},{SPECIAL}") == OK
    expected = {FIRST: [SPECIAL, one, two], SECOND: [two], FRIEND: [SPECIAL, one]}
    assert viewer.state()[1] == expected
    for tagids in ("0", f"0,{two}"):
        assert viewer.post("tags/copyUsers", fids=f"{FIRST},{SECOND}", tagids=tagids) == OK
        assert viewer.state()[1] == expected


def test_move_takes_out_and_puts_in_and_ignores_0(viewer: Member) -> None:
    one, two, three = (viewer.create(name) for name in ("one", "two", "three"))
    groups = {FIRST: [one, two], SECOND: [two], FRIEND: [SPECIAL]}

    def moved(before: str, after: str) -> dict[int, list[int]]:
        """The groups after the three were put as they are above, and moved."""
        for mid, tag in groups.items():
            assert viewer.post("tags/addUsers", fids=mid, tagids=",".join(map(str, tag))) == OK
        fids = ",".join(map(str, groups))
        assert viewer.post("tags/moveUsers", fids=fids, beforeTagids=before, afterTagids=after) == OK
        return viewer.state()[1]

    assert moved(f"{one}", f"{three}") == {FIRST: [two, three], SECOND: [two, three], FRIEND: [SPECIAL, three]}
    assert moved(f"{two},{one}", f"{SPECIAL}") == {FIRST: [SPECIAL], SECOND: [SPECIAL], FRIEND: [SPECIAL]}
    assert moved(f"{SPECIAL}", f"{two},{three}") == {
        FIRST: [one, two, three],
        SECOND: [two, three],
        FRIEND: [two, three],
    }
    assert moved("0", "0") == groups
    assert moved(f"{two}", "0") == {FIRST: [one], FRIEND: [SPECIAL]}
    assert moved("0", f"{three},0") == {FIRST: [one, two, three], SECOND: [two, three], FRIEND: [SPECIAL, three]}
    # Who leaves and joins the same group is in it.
    assert moved(f"{two},0", f"{two}") == {FIRST: [one, two], SECOND: [two], FRIEND: [SPECIAL, two]}


WRITES = {
    "tags/addUsers": ("tagids",),
    "tags/copyUsers": ("tagids",),
    "tags/moveUsers": ("beforeTagids", "afterTagids"),
}


@pytest.mark.parametrize("path", WRITES)
def test_members_are_changed_all_or_none(viewer: Member, other: Member, path: str) -> None:
    one, two = viewer.create("one"), viewer.create("two")
    (theirs,) = other.names()
    assert viewer.post("tags/addUsers", fids=f"{FIRST},{FRIEND}", tagids=one) == OK
    before = viewer.state()
    right = dict.fromkeys(WRITES[path], f"{two}")
    for mid in (WHISPERED, BLOCKED, STRANGER, UNKNOWN, viewer.mid, other.mid):
        for fids in (f"{mid}", f"{FIRST},{mid}", f"{mid},{FIRST},{SECOND}"):
            assert viewer.post(path, fids=fids, **right) == refused(22105)
            # An id that is ignored or empties the groups needs a follow too.
            assert viewer.post(path, fids=fids, **dict.fromkeys(WRITES[path], "0")) == refused(22105)
    for wrong in (theirs, ALL, -1, 7777, 10**30):
        for name in WRITES[path]:
            for ids in (f"{wrong}", f"{two},{wrong}", f"{wrong},{SPECIAL}", f"0,{wrong}"):
                # Every id is looked at before any account.
                for fids in (f"{FIRST}", f"{STRANGER}", f"{FIRST},{UNKNOWN}"):
                    assert viewer.post(path, fids=fids, **(right | {name: ids})) == refused(22104)
                assert viewer.post(path, fids="x", **(right | {name: ids})) == refused(-400)
                assert viewer.post(path, **(right | {name: ids})) == refused(-400)
    assert viewer.post(path, fids=FIRST) == refused(-400)
    for name in WRITES[path]:
        assert viewer.post(path, fids=FIRST, **(right | {name: ""})) == refused(-400)
    assert viewer.state() == before


@pytest.mark.parametrize("path", WRITES)
def test_a_change_of_members_takes_50_accounts(viewer: Member, path: str) -> None:
    right = dict.fromkeys(WRITES[path], f"{SPECIAL}")
    fifty = [FIRST, *range(5_000, 5_049)]
    assert viewer.post(path, fids=",".join(map(str, fifty)), **right) == refused(22105)
    assert viewer.post(path, fids=",".join(map(str, [*fifty, SECOND])), **right) == refused(-400)
    assert viewer.post(path, fids=",".join([str(FIRST)] * 51), **right) == OK


def test_deleted_accounts_can_be_grouped_while_they_are_followed(viewer: Member) -> None:
    one = viewer.create("one")
    assert viewer.post("tags/addUsers", fids=DELETED, tagids=f"{one},{SPECIAL}") == OK
    assert viewer.get("/tag/user", fid=DELETED) == {str(SPECIAL): "特别关注", str(one): "one"}
    (item,) = viewer.get("/tag", tagid=one)
    assert (item["mid"], item["uname"]) == (DELETED, "账号已注销")
    assert viewer.post("tags/addUsers", fids=DELETED, tagids=DEFAULT) == OK
    assert viewer.state()[1] == {}


# What becomes of groups when the relation changes


def act(viewer: Member, fid: int, number: int) -> None:
    assert viewer.post("modify", fid=fid, act=number) == OK


def test_a_whisper_keeps_its_groups_and_is_not_listed(viewer: Member) -> None:
    one = viewer.create("one")
    fids = f"{FIRST},{SECOND},{FRIEND}"
    assert viewer.post("tags/addUsers", fids=fids, tagids=f"{one},{SPECIAL}") == OK
    act(viewer, FIRST, 3)
    act(viewer, FRIEND, 3)
    for path, params in (("/tag", {"tagid": one}), ("/tag", {"tagid": SPECIAL})):
        assert [item["mid"] for item in viewer.get(path, **params)] == [SECOND]
    assert viewer.get("/tag/special") == [SECOND]
    assert {item["mid"] for item in viewer.get("/tag", tagid=ALL)} == {SECOND, DELETED}
    counts = {group["tagid"]: group["count"] for group in viewer.get("/tags")}
    assert counts == {SPECIAL: 1, DEFAULT: 1, one: 1}
    assert viewer.get("", fid=FIRST)["tag"] == [SPECIAL, one]
    assert viewer.get("/tag/user", fid=FIRST) == {}
    assert viewer.post("tags/addUsers", fids=FIRST, tagids=0) == refused(22105)
    # A group that is deleted meanwhile is not come back to.
    assert viewer.post("tag/del", tagid=one) == OK
    act(viewer, FIRST, 1)
    act(viewer, FRIEND, 1)
    assert viewer.state() == ({}, {FIRST: [SPECIAL], SECOND: [SPECIAL], FRIEND: [SPECIAL]})


@pytest.mark.parametrize("ending", [2, 5])
def test_an_unfollow_or_a_block_ends_the_groups(viewer: Member, ending: int) -> None:
    one = viewer.create("one")
    assert viewer.post("tags/addUsers", fids=f"{FIRST},{SECOND}", tagids=f"{one},{SPECIAL}") == OK
    act(viewer, FIRST, ending)
    assert viewer.get("/tag/special") == [SECOND]
    if ending == 5:
        act(viewer, FIRST, 6)
    act(viewer, FIRST, 1)
    assert viewer.state()[1] == {SECOND: [SPECIAL, one]}


def test_the_newest_member_of_a_group_is_the_one_followed_last(viewer: Member) -> None:
    one = viewer.create("one")
    assert viewer.post("tags/addUsers", fids=f"{FIRST},{SECOND},{FRIEND}", tagids=one) == OK
    assert [item["mid"] for item in viewer.get("/tag", tagid=one)] == [FRIEND, SECOND, FIRST]
    act(viewer, FIRST, 3)
    act(viewer, FIRST, 1)
    assert [item["mid"] for item in viewer.get("/tag", tagid=one)] == [FIRST, FRIEND, SECOND]
