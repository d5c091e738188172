"""The model that the server is compared with, in scenarios computed by hand (contract 5.1, 5.2, 7, 8)."""

from typing import Any

import pytest
from contract_forms import Limits
from contract_groups import ContractModel
from contract_model import FOLLOW, WHISPER, Person, Side

ANN, BEA, CAI, DAN = 1, 2, 3, 4
UNKNOWN = 9
MODIFY, RELATION, STAT = "/x/relation/modify", "/x/relation", "/x/relation/stat"


@pytest.fixture
def model() -> ContractModel:
    """Four accounts that have nothing to do with each other; the last is suspended."""
    limits = Limits(max_followings=2, max_blacks=1, max_groups=2, max_group_fids=2, max_batch_fids=3)
    made = ContractModel(limits)
    made.people = {mid: Person(name) for mid, name in ((ANN, "Ann"), (BEA, "Bea"), (CAI, "Cai"))}
    made.people[DAN] = Person("Dan", suspended=True)
    made.now = 100
    return made


def post(model: ContractModel, viewer: int | None, path: str, **query: object) -> tuple[int, Any]:
    """A write, one second later than the one before."""
    model.now += 1
    return model.answer(viewer, "POST", path, {name: str(value) for name, value in query.items()})


def act(model: ContractModel, viewer: int | None, number: int, fid: int) -> int:
    return post(model, viewer, MODIFY, fid=fid, act=number)[0]


def get(model: ContractModel, viewer: int | None, path: str, **query: object) -> Any:
    """The data of a read that succeeds."""
    code, data = model.answer(viewer, "GET", path, {name: str(value) for name, value in query.items()})
    assert code == 0
    return data


def seen(model: ContractModel, viewer: int, fid: int) -> tuple[int, int, list[int] | None]:
    """Attribute, mtime and groups."""
    data = get(model, viewer, RELATION, fid=fid)
    assert data["special"] == int(-10 in (data["tag"] or []))
    return data["attribute"], data["mtime"], data["tag"]


def counted(model: ContractModel, mid: int) -> tuple[int, int, int, int]:
    """Following, whisper, black, follower."""
    data = get(model, mid, STAT, vmid=mid)
    return data["following"], data["whisper"], data["black"], data["follower"]


def create(model: ContractModel, viewer: int, name: str, tagid: int) -> tuple[int, Any]:
    model.next_id = tagid
    return post(model, viewer, "/x/relation/tag/create", tag=name)


def test_a_pair_becomes_mutual_and_ends_so(model: ContractModel) -> None:
    assert act(model, ANN, 1, BEA) == 0  # at 101
    assert (seen(model, ANN, BEA), seen(model, BEA, ANN)) == ((2, 101, None), (0, 0, None))
    assert act(model, BEA, 1, ANN) == 0  # at 102, for both
    assert (seen(model, ANN, BEA), seen(model, BEA, ANN)) == ((6, 102, None), (6, 102, None))
    assert (counted(model, ANN), counted(model, BEA)) == ((1, 0, 0, 1), (1, 0, 0, 1))
    assert act(model, ANN, 1, BEA) == 22014
    assert act(model, ANN, 3, BEA) == 0  # at 104: Ann whispers from here on, Bea keeps her instant
    assert (seen(model, ANN, BEA), seen(model, BEA, ANN)) == ((1, 104, None), (2, 102, None))
    assert (counted(model, ANN), counted(model, BEA)) == ((0, 1, 0, 1), (1, 0, 0, 0))
    back = get(model, BEA, "/x/space/acc/relation", mid=ANN)["be_relation"]
    assert back == {"mid": BEA, "attribute": 0, "mtime": 0, "tag": None, "special": 0}
    assert act(model, ANN, 2, BEA) == 0  # there is no follow to remove
    assert seen(model, ANN, BEA) == (1, 104, None)
    assert act(model, ANN, 7, BEA) == 0
    assert (seen(model, ANN, BEA), seen(model, BEA, ANN)) == ((1, 104, None), (0, 0, None))


def test_a_block_ends_both_directions_and_brings_nothing_back(model: ContractModel) -> None:
    assert [act(model, ANN, 1, BEA), act(model, BEA, 3, ANN)] == [0, 0]
    assert post(model, ANN, "/x/relation/tags/addUsers", fids=BEA, tagids=-10) == (0, None)
    assert seen(model, ANN, BEA) == (2, 101, [-10])
    assert act(model, ANN, 5, BEA) == 0  # at 104
    assert (seen(model, ANN, BEA), seen(model, BEA, ANN)) == ((128, 104, None), (0, 0, None))
    assert (counted(model, ANN), counted(model, BEA)) == ((0, 0, 1, 0), (0, 0, 0, 0))
    back = get(model, BEA, "/x/space/acc/relation", mid=ANN)["be_relation"]
    assert (back["attribute"], back["mtime"]) == (128, 104)
    assert [act(model, ANN, 1, BEA), act(model, BEA, 1, ANN), act(model, ANN, 5, BEA)] == [22003, 22002, 22120]
    assert act(model, ANN, 5, CAI) == 22008
    assert act(model, ANN, 6, BEA) == 0
    assert (seen(model, ANN, BEA), seen(model, BEA, ANN)) == ((0, 0, None), (0, 0, None))


def test_who_may_not_write_and_on_whom(model: ContractModel) -> None:
    assert act(model, None, 8, BEA) == -101
    assert act(model, DAN, 8, BEA) == -400
    assert act(model, DAN, 1, DAN) == -102
    assert act(model, ANN, 1, ANN) == 22001
    assert [act(model, ANN, number, UNKNOWN) for number in range(1, 8)] == [40061] * 7
    assert act(ContractModel(whisper_enabled=False), None, 3, BEA) == -101
    model.whisper_enabled = False
    assert act(model, ANN, 3, BEA) == -400


def test_followings_and_whispers_fill_one_limit_and_turn_into_each_other(model: ContractModel) -> None:
    assert [act(model, ANN, 1, BEA), act(model, ANN, 3, CAI)] == [0, 0]
    assert [act(model, ANN, 1, DAN), act(model, ANN, 3, DAN)] == [22009, 22009]
    assert [act(model, ANN, 3, BEA), act(model, ANN, 1, CAI)] == [0, 0]
    assert counted(model, ANN) == (1, 1, 0, 0)
    batch = post(model, BEA, "/x/relation/batch/modify", fids=f"{UNKNOWN},{DAN},{ANN}", act=1)
    assert batch == (0, {"failed_fids": [UNKNOWN]})
    batch = post(model, BEA, "/x/relation/batch/modify", fids=f"{CAI},{DAN}", act=1)
    assert batch == (0, {"failed_fids": [CAI]})
    assert post(model, BEA, "/x/relation/batch/modify", fids=f"{CAI},{BEA}", act=5) == (22001, None)
    assert post(model, BEA, "/x/relation/batch/modify", fids="5,6,7,8", act=1) == (-400, None)


def test_a_deleted_account_leaves_what_others_have_to_do_with_it(model: ContractModel) -> None:
    assert [act(model, ANN, 1, BEA), act(model, BEA, 1, ANN), act(model, CAI, 5, BEA)] == [0, 0, 0]
    assert act(model, BEA, 3, DAN) == 0
    assert model.delete(BEA)
    assert not model.delete(BEA)
    assert seen(model, ANN, BEA) == (2, 102, None)
    assert (counted(model, ANN), counted(model, BEA), counted(model, CAI)) == ((1, 0, 0, 0), (0,) * 4, (0, 0, 1, 0))
    assert [act(model, DAN, 1, BEA), act(model, BEA, 1, CAI)] == [-102, -101]
    assert [act(model, CAI, number, BEA) for number in (1, 3, 5, 2, 4, 7)] == [22013] * 3 + [0] * 3
    listed = get(model, None, "/x/relation/followings", vmid=ANN)
    assert (listed["total"], [item["uname"] for item in listed["list"]]) == (1, ["账号已注销"])
    assert get(model, ANN, "/x/relation/followers", vmid=BEA) == {"list": [], "re_version": 0, "total": 0}
    assert act(model, CAI, 6, BEA) == 0
    assert counted(model, CAI) == (0, 0, 0, 0)


def test_reported_counters_change_by_what_happens_here_and_stop_at_nothing(model: ContractModel) -> None:
    model.people[ANN].figures = {"following": 0, "whisper": 1, "black": 7, "follower": 1000}
    model.sides = {(ANN, BEA): Side(FOLLOW, 5), (ANN, CAI): Side(WHISPER, 5)}
    assert act(model, BEA, 1, ANN) == 0
    assert counted(model, ANN) == (0, 1, 7, 1001)
    assert act(model, ANN, 2, BEA) == 0
    assert (counted(model, ANN), counted(model, BEA)) == ((0, 1, 7, 1001), (1, 0, 0, 0))
    assert act(model, ANN, 1, BEA) == 0
    assert counted(model, ANN) == (1, 1, 7, 1001)
    assert get(model, None, "/x/relation/followers", vmid=ANN)["total"] == 1001
    assert act(model, BEA, 5, ANN) == 0
    assert counted(model, ANN) == (0, 1, 7, 1000)


def test_lists_are_hidden_and_ordered(model: ContractModel) -> None:
    model.people[ANN].hides_followings = True
    model.sides = {(ANN, mid): Side(FOLLOW, mtime) for mid, mtime in ((BEA, 7), (CAI, 7), (DAN, 6))}
    model.sides[ANN, DAN].groups = {-10, 4}
    own = get(model, ANN, "/x/relation/followings", vmid=ANN)
    assert [(item["mid"], item["tag"], item["special"]) for item in own["list"]] == [
        (CAI, None, 0),
        (BEA, None, 0),
        (DAN, [-10, 4], 1),
    ]
    first = get(model, ANN, "/x/relation/followings", vmid=ANN, order="asc", order_type="attention")
    assert [item["mid"] for item in first["list"]] == [DAN, BEA, CAI]
    refused = model.answer(BEA, "GET", "/x/relation/followings", {"vmid": str(ANN), "pn": "6"})
    assert refused == (22115, None)
    assert model.answer(BEA, "GET", "/x/relation/same/followings", {"vmid": str(ANN)}) == (22115, None)
    assert model.answer(None, "GET", "/x/relation/followings", {"vmid": str(BEA), "pn": "6"}) == (22007, None)
    assert [item["mid"] for item in get(model, ANN, "/x/relation/followings/search", vmid=ANN, name="A")["list"]] == [
        CAI,
        BEA,
        DAN,
    ]


def test_groups_from_beginning_to_end(model: ContractModel) -> None:
    assert [act(model, ANN, 1, BEA), act(model, ANN, 1, CAI)] == [0, 0]
    codes = [create(model, ANN, name, 5)[0] for name in ("", "  ", "a,b", "x" * 17, "默认分组", "x\x7f" * 9)]
    assert codes == [-400, -400, 22101, 22103, 22106, 22101]
    assert create(model, ANN, " one ", 5) == (0, {"tagid": 5})
    assert create(model, ANN, "one", 6) == (22106, None)
    assert create(model, ANN, "x" * 16, 6) == (0, {"tagid": 6})
    assert create(model, ANN, "three", 7) == (22102, None)
    assert create(model, BEA, "one", 7) == (0, {"tagid": 7})
    assert post(model, ANN, "/x/relation/tag/update", tagid=7, name="ours") == (22104, None)
    assert post(model, ANN, "/x/relation/tag/update", tagid=5, name="one") == (0, None)
    assert post(model, ANN, "/x/relation/tag/update", tagid=5, name="x" * 16) == (22106, None)
    assert post(model, ANN, "/x/relation/tags/addUsers", fids=f"{BEA},{CAI}", tagids="5,-10") == (0, None)
    assert post(model, ANN, "/x/relation/tags/addUsers", fids=f"{BEA},{DAN}", tagids="6") == (22105, None)
    assert post(model, ANN, "/x/relation/tags/copyUsers", fids=DAN, tagids="7") == (22104, None)
    assert post(model, ANN, "/x/relation/tags/copyUsers", fids=BEA, tagids="0,6") == (0, None)
    assert get(model, ANN, "/x/relation/tag/user", fid=BEA) == {"-10": "特别关注", "5": "one", "6": "x" * 16}
    assert act(model, ANN, 3, CAI) == 0  # whispered: in its groups, but not listed there
    assert [group["count"] for group in get(model, ANN, "/x/relation/tags")] == [1, 0, 1, 1]
    assert seen(model, ANN, CAI)[2] == [-10, 5]
    moved = post(model, ANN, "/x/relation/tags/moveUsers", fids=BEA, beforeTagids="-10,5", afterTagids="0")
    assert moved == (0, None)
    assert post(model, ANN, "/x/relation/tag/del", tagid=6) == (0, None)
    assert get(model, ANN, "/x/relation/tag", tagid=0) == [
        {"mid": BEA, "attribute": 0, "tag": None, "special": 0, "uname": "Bea"}
    ]
    assert act(model, ANN, 1, CAI) == 0
    assert get(model, ANN, "/x/relation/tag/special") == [CAI]
    with pytest.raises(AssertionError):
        create(model, ANN, "again", 6)
