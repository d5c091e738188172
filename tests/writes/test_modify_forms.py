"""How a write may be sent: by which credentials, and with its parameters where (contract 2, 3)."""

from collections.abc import Iterator

import httpx
import pytest
from conftest import client_of, quiet_server
from modify_world import MANY, MODIFY, STRANGER, VIEWER, WRITER, attribute, bearer, cookie, post, table_store, token_of
from replies import OK
from stores import Stores

from upspace.server.viewer import csrf_of


@pytest.fixture(scope="module")
def table(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    url = table_store(stores.new(engine))
    with quiet_server(tmp_path_factory.mktemp("seed"), "--store", url) as served, client_of(served) as client:
        yield client


@pytest.mark.parametrize("name", ["csrf", "csrf_token"])
def test_a_cookie_writes_with_its_csrf(table: httpx.Client, name: str) -> None:
    fid = MANY[0] if name == "csrf" else MANY[1]
    right = {name: csrf_of(token_of(WRITER))}
    assert post(table, MODIFY, cookie(WRITER), fid=fid, act=1, **right) == OK
    # A parameter may be in the query of a write as well, the csrf too.
    response = table.post(MODIFY, params={"fid": fid, "act": 3, **right}, headers=cookie(WRITER))
    assert response.json() == OK
    assert attribute(table, WRITER, fid) == 1


def test_other_credentials_write_without_csrf(table: httpx.Client) -> None:
    token = token_of(WRITER)
    assert post(table, MODIFY, bearer(WRITER), fid=MANY[2], act=1) == OK
    assert post(table, MODIFY, {}, fid=MANY[3], act=1, access_key=token) == OK
    response = table.post(f"{MODIFY}?access_key={token}", data={"fid": MANY[4], "act": 1})
    assert response.json() == OK
    # What comes along with them is not looked at.
    assert post(table, MODIFY, bearer(WRITER), fid=MANY[5], act=1, csrf="wrong") == OK
    assert post(table, MODIFY, bearer(WRITER) | cookie(STRANGER), fid=MANY[6], act=1) == OK
    assert post(table, MODIFY, cookie(STRANGER), fid=MANY[7], act=1, access_key=token) == OK
    assert [attribute(table, WRITER, mid) for mid in MANY[2:8]] == [2] * 6
    assert [attribute(table, STRANGER, mid) for mid in MANY[2:8]] == [0] * 6


def test_where_the_parameters_of_a_write_may_be(table: httpx.Client) -> None:
    multipart = {"fid": (None, str(MANY[8])), "act": (None, "1"), "re_src": (None, "11")}
    assert table.post(MODIFY, files=multipart, headers=bearer(WRITER)).json() == OK
    assert table.post(MODIFY, params={"fid": MANY[9], "act": "1"}, headers=bearer(WRITER)).json() == OK
    split = table.post(MODIFY, params={"fid": MANY[10], "act": "5"}, data={"act": "1"}, headers=bearer(WRITER))
    assert split.json() == OK
    form = {"content-type": "application/x-www-form-urlencoded"}
    twice = table.post(MODIFY, content=f"fid={MANY[11]}&act=1&fid=x&act=5", headers=bearer(WRITER) | form)
    assert twice.json() == OK
    charset = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    spoken = table.post(MODIFY, content=f"fid={MANY[12]}&act=1", headers=bearer(WRITER) | charset)
    assert spoken.json() == OK
    assert [attribute(table, WRITER, mid) for mid in MANY[8:13]] == [2] * 5


def test_a_write_knows_no_jsonp_and_a_read_by_jsonp_no_viewer(table: httpx.Client) -> None:
    assert post(table, MODIFY, bearer(WRITER), fid=MANY[13], act=1, callback="f") == OK
    response = table.post(f"{MODIFY}?callback=f", data={"fid": MANY[14], "act": 1}, headers=bearer(WRITER))
    assert response.json() == OK
    for path in ("/x/relation/whispers", "/x/relation/blacks", "/x/relation/tags", f"/x/relation?fid={STRANGER}"):
        sign = "&" if "?" in path else "?"
        read = table.get(f"{path}{sign}callback=f", headers=cookie(VIEWER))
        assert read.text.startswith('f({"code":-101,')


def test_the_source_of_an_action_may_be_left_out_or_empty(table: httpx.Client) -> None:
    for mid, form in ((MANY[15], {}), (MANY[16], {"re_src": ""}), (MANY[17], {"re_src": "65535"})):
        assert post(table, MODIFY, bearer(WRITER), fid=mid, act=1, **form) == OK
