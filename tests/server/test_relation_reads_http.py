"""What the viewer's relation to an account is, over HTTP (contract 5.3, 7: relation, relations, acc/relation)."""

from collections.abc import Iterator

import httpx
import pytest
from circle import OWNER, PEER, circle_store, data_of_read
from conftest import client_of, quiet_server
from people import (
    BIGGEST,
    BLOCKED,
    BLOCKER,
    DECORATED,
    DELETED,
    FAN,
    FOLLOWED,
    FRIEND,
    HIDER,
    HUB,
    SPECIAL,
    START,
    STRANGER,
    SUSPENDED,
    TOKENS,
    UNKNOWN,
    VIEWER,
    WHISPERED,
    bearer,
    code_of,
    data_of,
    exact,
    get,
    hub_fan_since,
    hub_followed_at,
)
from stores import Stores

RELATION, RELATIONS = "/x/relation", "/x/relation/relations"
BOTH_WAYS = ("/x/space/acc/relation", "/x/space/wbi/acc/relation", "/x/web-interface/relation")

# Every read of sections 7 and 8.3 with parameters that pass.
OWN_READS = {
    RELATION: f"fid={HUB}",
    RELATIONS: f"fids={HUB}",
    **dict.fromkeys(BOTH_WAYS, f"mid={HUB}"),
    "/x/relation/same/followings": f"vmid={HUB}",
    "/x/relation/whispers": "",
    "/x/relation/friends": "",
    "/x/relation/blacks": "",
    "/x/relation/tags": "",
    "/x/relation/tag": "tagid=0",
    "/x/relation/tag/user": f"fid={HUB}",
    "/x/relation/tag/special": "",
}
SEARCH = "/x/relation/followings/search"
NOT_SIGNED_IN = {"code": -101, "message": "账号未登录", "ttl": 1}

Attribute = tuple[int, int, list[int] | None]

# The viewer's side of each pair: attribute, mtime, groups.
FORWARD: dict[int, Attribute] = {
    WHISPERED: (1, START + 1, [7]),
    FOLLOWED: (2, START + 2, [SPECIAL]),
    FRIEND: (6, START + 3, None),
    BLOCKED: (128, START + 4, None),
    HUB: (6, hub_fan_since(VIEWER), None),
}
# The other side, as far as it is the viewer's business.
BACKWARD: dict[int, Attribute] = {
    FRIEND: (6, START + 3, None),
    FAN: (2, START + 5, None),
    BLOCKER: (128, START + 6, None),
    HUB: (6, hub_followed_at(VIEWER), None),
}
NONE: Attribute = (0, 0, None)
EVERYBODY = (
    *(STRANGER, WHISPERED, FOLLOWED, FRIEND, BLOCKED, FAN, BLOCKER, HUB, SUSPENDED, DELETED, HIDER, DECORATED),
    *(BIGGEST, UNKNOWN, VIEWER),
)


@pytest.fixture(scope="module")
def circle(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    url = circle_store(stores.new(engine))
    with quiet_server(tmp_path_factory.mktemp("circle"), "--store", url) as served, client_of(served) as client:
        yield client


def attribute_object(mid: int, attribute: Attribute) -> dict[str, object]:
    kind, mtime, tag = attribute
    return {"mid": mid, "attribute": kind, "mtime": mtime, "tag": tag, "special": int(SPECIAL in (tag or ()))}


@pytest.mark.parametrize("path", OWN_READS)
def test_a_read_of_ones_own_needs_login(seed: httpx.Client, recent: httpx.Client, path: str) -> None:
    for client in (seed, recent):
        for credentials in ({}, {"authorization": "Bearer unknown"}, bearer(DELETED)):
            assert client.get(f"{path}?{OWN_READS[path]}", headers=credentials).json() == NOT_SIGNED_IN
        # Login comes before the parameters.
        assert client.get(f"{path}?fid=x&fids=x&mid=x&vmid=x&pn=x&tagid=x").json() == NOT_SIGNED_IN
        for credentials in (
            bearer(VIEWER),
            {"cookie": f"SESSDATA={TOKENS[VIEWER]}"},
            {"authorization": f"bearer {TOKENS[SUSPENDED]}"},
        ):
            assert client.get(f"{path}?{OWN_READS[path]}", headers=credentials).json()["code"] == 0
        assert client.get(f"{path}?{OWN_READS[path]}&access_key={TOKENS[VIEWER]}").json()["code"] == 0


def test_a_search_needs_login_where_lists_do(seed: httpx.Client, recent: httpx.Client) -> None:
    assert code_of(seed, SEARCH, None, {"vmid": HUB}) == 0
    assert get(recent, SEARCH, None, {"vmid": HUB}) == get(recent, SEARCH, None, {"vmid": "x"}) == NOT_SIGNED_IN
    assert code_of(recent, SEARCH, VIEWER, {"vmid": HUB}) == 0


@pytest.mark.parametrize("mid", EVERYBODY)
def test_the_relation_to_one_account(seed: httpx.Client, recent: httpx.Client, mid: int) -> None:
    expected = exact(attribute_object(mid, FORWARD.get(mid, NONE)))
    assert exact(data_of(seed, RELATION, VIEWER, {"fid": mid})) == expected
    assert exact(data_of(recent, RELATION, VIEWER, {"fid": mid})) == expected


def test_the_groups_of_an_account_are_ascending(seed: httpx.Client) -> None:
    data = data_of(seed, RELATION, HUB, {"fid": FRIEND})
    assert exact(data) == exact(attribute_object(FRIEND, (6, hub_followed_at(FRIEND), [SPECIAL, 4])))
    assert data_of(seed, RELATION, HUB, {"fid": DELETED})["tag"] == [9]


def test_relations_to_many_leave_out_those_without_and_keep_the_order_asked_for(seed: httpx.Client) -> None:
    for fids in (EVERYBODY, EVERYBODY[::-1], sorted(EVERYBODY), (FRIEND, WHISPERED, FRIEND, STRANGER, WHISPERED)):
        data = data_of(seed, RELATIONS, VIEWER, {"fids": ",".join(map(str, fids))})
        wanted = [mid for mid in dict.fromkeys(fids) if mid in FORWARD]
        assert exact(data) == exact({str(mid): attribute_object(mid, FORWARD[mid]) for mid in wanted})


def test_without_any_relation_the_object_is_empty(seed: httpx.Client) -> None:
    for fids in (f"{STRANGER}", f"{STRANGER},{UNKNOWN},{VIEWER},{DELETED}", "1"):
        assert seed.get(f"{RELATIONS}?fids={fids}", headers=bearer(VIEWER)).text.endswith(',"data":{}}')


def test_relations_to_a_thousand(circle: httpx.Client) -> None:
    fids = list(range(4_900, 3_900, -1))
    data = data_of_read(circle, RELATIONS, OWNER, fids=",".join(map(str, fids)))
    assert list(data) == [str(mid) for mid in range(4_062, 3_999, -1)]
    assert {relation["attribute"] for relation in data.values()} == {128}


@pytest.mark.parametrize("path", BOTH_WAYS)
@pytest.mark.parametrize("mid", EVERYBODY)
def test_the_relation_both_ways_keeps_the_secrets_of_the_other_side(seed: httpx.Client, path: str, mid: int) -> None:
    data = data_of(seed, path, VIEWER, {"mid": mid})
    expected = {
        "relation": attribute_object(mid, FORWARD.get(mid, NONE)),
        # The stranger whispers the viewer, which the viewer must not learn.
        "be_relation": attribute_object(VIEWER, BACKWARD.get(mid, NONE)),
    }
    assert exact(data) == exact(expected)


def test_the_groups_that_others_have_put_the_viewer_in_are_not_shown(circle: httpx.Client) -> None:
    data = data_of_read(circle, BOTH_WAYS[0], OWNER, mid=PEER)
    assert data["be_relation"]["attribute"] == 6
    assert (data["be_relation"]["tag"], data["be_relation"]["special"]) == (None, 0)
    # They are there, and the peer sees them.
    seen = data_of_read(circle, BOTH_WAYS[0], PEER, mid=OWNER)["relation"]
    assert (seen["tag"], seen["special"]) == ([SPECIAL], 1)


def test_the_suspended_and_the_hiding_read_their_relations_too(seed: httpx.Client) -> None:
    assert data_of(seed, RELATION, SUSPENDED, {"fid": HUB})["attribute"] == 6
    assert data_of(seed, BOTH_WAYS[0], HIDER, {"mid": STRANGER})["be_relation"]["attribute"] == 6
    # That lists are hidden is no secret of single relations: each of a pair knows what the other made public to it.
    assert data_of(seed, BOTH_WAYS[0], HUB, {"mid": HIDER})["be_relation"]["attribute"] == 6
