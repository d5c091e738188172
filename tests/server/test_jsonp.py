"""The JSONP form of replies (contract 2.6, 2.7)."""

import json
import re

import httpx
import pytest
from people import DECORATED, FOLLOWED, HUB, TOKENS, UNKNOWN, VIEWER, bearer

from upspace.wire.endpoints import ENDPOINTS

INFO = "/x/space/acc/info"
GET_PATHS = [path for endpoint in ENDPOINTS if endpoint.method == "GET" for path in endpoint.paths]

LONGEST = "a" * 64
GOOD = ("cb", "_", "$", "$.a.b", "jQuery172_1.cb", "A0", LONGEST, "a..", "__jp0")
BAD = (
    *("1a", ".a", "a b", "a-b", "a(b)", "a[0]", "a\n", "\na", "a;b", "<script>", "a'b", 'a"b', "号", "aé", "a\x00"),
    *(LONGEST + "a", "a" * 5000, " ", "%61 ", "alert(1)//", "a\u2028", "\uff41"),
)


def unwrapped(response: httpx.Response, callback: str) -> str:
    """What stands between the parentheses."""
    assert response.headers["content-type"] == "application/javascript; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    text = response.text
    assert text.startswith(f"{callback}(")
    assert text.endswith(")")
    return text[len(callback) + 1 : -1]


@pytest.mark.parametrize("callback", GOOD)
def test_a_callback_wraps_the_envelope(seed: httpx.Client, callback: str) -> None:
    response = seed.get(INFO, params={"mid": HUB, "callback": callback})
    assert response.status_code == 200
    assert json.loads(unwrapped(response, callback)) == seed.get(f"{INFO}?mid={HUB}").json()


@pytest.mark.parametrize("path", GET_PATHS)
def test_every_read_has_a_jsonp_form_computed_for_an_anonymous_viewer(seed: httpx.Client, path: str) -> None:
    plain = seed.get(f"{path}?mid={FOLLOWED}&vmid={VIEWER}")
    for query, headers in (
        ("", {}),
        ("", bearer(VIEWER)),
        (f"&access_key={TOKENS[VIEWER]}", {}),
        ("", {"cookie": f"SESSDATA={TOKENS[VIEWER]}"}),
    ):
        response = seed.get(f"{path}?mid={FOLLOWED}&vmid={VIEWER}&callback=cb&jsonp=jsonp{query}", headers=headers)
        assert json.loads(unwrapped(response, "cb")) == plain.json()


def test_a_page_never_learns_whom_the_visitor_follows(seed: httpx.Client) -> None:
    query = f"{INFO}?mid={FOLLOWED}"
    assert seed.get(query, headers=bearer(VIEWER)).json()["data"]["is_followed"] is True
    wrapped = unwrapped(seed.get(f"{query}&callback=cb", headers=bearer(VIEWER)), "cb")
    assert json.loads(wrapped)["data"]["is_followed"] is False


def test_what_could_end_a_script_is_escaped(seed: httpx.Client) -> None:
    plain = seed.get(f"{INFO}?mid={DECORATED}")
    wrapped = unwrapped(seed.get(f"{INFO}?mid={DECORATED}&callback=cb"), "cb")
    assert re.search("[<>&\u2028\u2029]", plain.json()["data"]["name"])
    assert not re.search("[<>&\u2028\u2029]", wrapped)
    assert "✨" in wrapped
    assert json.loads(wrapped) == plain.json()


def test_errors_are_wrapped_like_successes(seed: httpx.Client) -> None:
    for path, status, code in (
        (f"{INFO}?mid=0", 200, -400),
        (f"{INFO}?mid={UNKNOWN}", 200, -404),
        ("/x/space/myinfo?", 200, -101),
        (f"/x/relation/followers?vmid={HUB}&pn=6", 200, 22007),
        ("/nowhere?", 404, -404),
    ):
        response = seed.get(f"{path}&callback=cb", headers=bearer(VIEWER))
        assert response.status_code == status
        assert json.loads(unwrapped(response, "cb"))["code"] == code


@pytest.mark.parametrize("callback", BAD)
def test_a_bad_callback_is_a_plain_bad_request(seed: httpx.Client, callback: str) -> None:
    response = seed.get(INFO, params={"mid": HUB, "callback": callback})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.text == '{"code":-400,"message":"请求错误","ttl":1}'


@pytest.mark.parametrize("query", ["callback=", "callback", "jsonp=jsonp", "callback=&callback=cb", "Callback=cb"])
def test_without_a_callback_the_reply_is_json(seed: httpx.Client, query: str) -> None:
    response = seed.get(f"{INFO}?mid={HUB}&{query}")
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.content == seed.get(f"{INFO}?mid={HUB}").content


def test_a_post_has_no_jsonp_form(seed: httpx.Client) -> None:
    for callback in ("cb", "1bad"):
        response = seed.post(f"/x/internal/gaia-gateway/ExClimbWuzhi?callback={callback}")
        assert response.text == '{"code":0,"message":"0","ttl":1,"data":{}}'
