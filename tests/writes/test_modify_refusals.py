"""Every refusal of a write, of one account or of several in a batch (contract 2, 3, 4, 8)."""

from collections.abc import Iterator

import httpx
import pytest
from conftest import client_of, quiet_server
from contract_codes import MESSAGES
from modify_table import STORED
from modify_world import (
    BATCH,
    DELETED,
    MANY,
    MODIFY,
    START,
    STRANGER,
    SUSPENDED,
    UNKNOWN,
    VIEWER,
    WRITER,
    attribute,
    bearer,
    code_of,
    cookie,
    counters,
    modify,
    post,
    side,
    table_store,
    token_of,
)
from replies import OK, refusal
from stores import Stores

from upspace.server.viewer import csrf_of


@pytest.fixture(scope="module")
def table(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    url = table_store(stores.new(engine))
    with quiet_server(tmp_path_factory.mktemp("seed"), "--store", url) as served, client_of(served) as client:
        yield client


@pytest.mark.parametrize("act", range(1, 8))
def test_self_and_unknown(table: httpx.Client, act: int) -> None:
    before = counters(table, VIEWER)
    assert code_of(table, VIEWER, VIEWER, act) == 22001
    assert code_of(table, VIEWER, UNKNOWN, act) == 40061
    assert counters(table, VIEWER) == before


def test_nothing_new_with_a_deleted_account(table: httpx.Client) -> None:
    before = counters(table, VIEWER)
    assert before == {"mid": VIEWER, "following": 1, "whisper": 1, "black": 1, "follower": 0}
    for letter, mid in DELETED.items():
        assert [code_of(table, VIEWER, mid, act) for act in (1, 3, 5)] == [22013] * 3
        assert side(table, VIEWER, mid) == ((STORED[letter], START) if STORED[letter] else (0, 0))
    assert counters(table, VIEWER) == before
    # What was there can be ended, by its own act alone.
    for letter, ends in (("f", 2), ("w", 4), ("b", 6), ("-", 7)):
        others = [act for act in (2, 4, 6, 7) if act != ends]
        assert [code_of(table, VIEWER, DELETED[letter], act) for act in others] == [0] * 3
        assert attribute(table, VIEWER, DELETED[letter]) == STORED[letter]
        assert code_of(table, VIEWER, DELETED[letter], ends) == 0
        assert attribute(table, VIEWER, DELETED[letter]) == 0
    assert counters(table, VIEWER) == {"mid": VIEWER, "following": 0, "whisper": 0, "black": 0, "follower": 0}
    assert modify(table, DELETED["-"], VIEWER, 1) == refusal(-101)


# Every write with parameters that pass, so that what is refused is not for them.
WRITES: dict[str, dict[str, str | int]] = {
    MODIFY: {"fid": STRANGER, "act": 2},
    BATCH: {"fids": STRANGER, "act": 1},
    "/x/relation/tag/create": {"tag": "a name"},
    "/x/relation/tag/update": {"tagid": 1, "name": "a name"},
    "/x/relation/tag/del": {"tagid": 1},
    "/x/relation/tags/addUsers": {"fids": STRANGER, "tagids": 0},
    "/x/relation/tags/copyUsers": {"fids": STRANGER, "tagids": 0},
    "/x/relation/tags/moveUsers": {"fids": STRANGER, "beforeTagids": 0, "afterTagids": 0},
}


@pytest.mark.parametrize("path", WRITES)
def test_who_may_not_write(table: httpx.Client, path: str) -> None:
    good, bad = WRITES[path], dict.fromkeys(WRITES[path], "x") | {"tag": "", "name": ""}
    wrong = csrf_of(token_of(STRANGER))
    for form in (good, bad):
        assert post(table, path, {}, **form) == refusal(-101)
        assert post(table, path, {"authorization": "Bearer nobody's"}, **form) == refusal(-101)
        # The first credentials found count, even if they are worth nothing.
        assert post(table, path, cookie(VIEWER) | {"authorization": "Bearer nobody's"}, **form) == refusal(-101)
        assert post(table, path, {"cookie": "SESSDATA=nobody"}, **form, csrf=csrf_of("nobody")) == refusal(-101)
        for mid in (VIEWER, SUSPENDED):
            assert post(table, path, cookie(mid), **form) == refusal(-111)
            assert post(table, path, cookie(mid), **form, csrf="") == refusal(-111)
            assert post(table, path, cookie(mid), **form, csrf=wrong) == refusal(-111)
            assert post(table, path, cookie(mid), **form, csrf_token=wrong) == refusal(-111)
            assert post(table, path, cookie(mid), **form, csrf=csrf_of(token_of(mid)).upper() + "0") == refusal(-111)
    assert post(table, path, bearer(SUSPENDED), **bad) == refusal(-400)
    assert post(table, path, bearer(SUSPENDED), **good) == refusal(-102)
    assert post(table, path, cookie(SUSPENDED), **good, csrf=csrf_of(token_of(SUSPENDED))) == refusal(-102)
    assert post(table, path, bearer(VIEWER), **bad) == refusal(-400)
    assert post(table, path, bearer(VIEWER)) == refusal(-400)


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_writes_are_posted(table: httpx.Client, path: str, method: str) -> None:
    response = table.request(method, path, params=WRITES[path], headers=bearer(VIEWER))
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert response.json() == {"code": -405, "message": MESSAGES[-405], "ttl": 1}


def test_a_suspended_account_cannot_write_but_read_and_be_followed(table: httpx.Client) -> None:
    # Refused before the rules of the endpoint, after the parameters.
    assert modify(table, SUSPENDED, SUSPENDED, 1) == refusal(-102)
    assert modify(table, SUSPENDED, UNKNOWN, 1) == refusal(-102)
    assert modify(table, SUSPENDED, STRANGER, 8) == refusal(-400)
    assert post(table, BATCH, bearer(SUSPENDED), fids=SUSPENDED, act=1) == refusal(-102)
    assert attribute(table, SUSPENDED, STRANGER) == 0
    assert [code_of(table, STRANGER, SUSPENDED, act) for act in (1, 2)] == [0, 0]


@pytest.mark.parametrize(
    "form",
    [
        *({"fid": STRANGER, "act": bad} for bad in ("0", "8", "-1", "+1", "1.0", "1e0", " 1", "", "x", "٣", "9" * 30)),
        *({"fid": bad, "act": 1} for bad in ("", "0", "-2", "+2", "2.0", "2 ", "x", "9223372036854775808", "9" * 30)),
        *({"fid": STRANGER, "act": 1, "re_src": bad} for bad in ("-1", "65536", "1.5", "x", "9" * 30)),
        {"act": 1},
        {"fid": STRANGER},
        {"fid": VIEWER, "act": 8},
        {"fid": UNKNOWN, "act": 8},
    ],
    ids=str,
)
def test_bad_parameters(table: httpx.Client, form: dict[str, str | int]) -> None:
    assert post(table, MODIFY, bearer(VIEWER), **form) == refusal(-400)
    assert attribute(table, VIEWER, STRANGER) == 0


# Batches


def test_a_batch_tries_each_member_and_names_those_refused_in_order(table: httpx.Client) -> None:
    fids = [UNKNOWN, MANY[20], DELETED["w"], MANY[21], 7777]
    for _ in range(2):  # "already so" counts as success
        envelope = post(table, BATCH, bearer(WRITER), fids=",".join(map(str, fids)), act=1, re_src=11)
        assert envelope == OK | {"data": {"failed_fids": [UNKNOWN, DELETED["w"], 7777]}}
    assert list(envelope) == ["code", "message", "ttl", "data"]
    assert [attribute(table, WRITER, mid) for mid in fids] == [0, 2, 0, 2, 0]
    for _ in range(2):
        envelope = post(table, BATCH, bearer(WRITER), fids=f"{MANY[21]},{MANY[22]}", act=5)
        assert envelope == OK | {"data": {"failed_fids": []}}
    assert [attribute(table, WRITER, mid) for mid in MANY[20:23]] == [2, 128, 128]
    envelope = post(table, BATCH, bearer(WRITER), fids=f"{MANY[21]},{MANY[23]},{MANY[21]}", act=1)
    assert envelope == OK | {"data": {"failed_fids": [MANY[21]]}}


def test_a_batch_with_self_or_another_act_changes_nothing(table: httpx.Client) -> None:
    before = counters(table, WRITER)
    assert post(table, BATCH, bearer(WRITER), fids=f"{MANY[24]},{WRITER}", act=1) == refusal(22001)
    for act in (0, 2, 3, 4, 6, 7, 8, -1):
        assert post(table, BATCH, bearer(WRITER), fids=MANY[24], act=act) == refusal(-400)
        assert post(table, BATCH, bearer(WRITER), fids=WRITER, act=act) == refusal(-400)
    for fids in ("", ",", f"{MANY[24]},", f"{MANY[24]},x", f"{MANY[24]},0", f"{MANY[24]}, {MANY[25]}"):
        assert post(table, BATCH, bearer(WRITER), fids=fids, act=1) == refusal(-400)
    assert counters(table, WRITER) == before
