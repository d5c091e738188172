"""Every parameter of every endpoint takes and refuses what its form says (contract 1 limits, 3 parameter forms).

A parameter of a write is tried in each place that it may be sent in (contract 2.2), on a store of its own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import quote

import httpx
import pytest
from conftest import client_of, quiet_server
from people import FOLLOWED, FRIEND, HUB, STRANGER, VIEWER, bearer, data_of, people_store, post
from stores import Stores

from upspace.wire.endpoints import ENDPOINTS, Login
from upspace.wire.forms import form_of

Text = str | None  # None: the parameter is absent

LONG = 5000
NOT_INTEGERS: tuple[Text, ...] = (
    *("x", "-", "--1", "+1", " 1", "1 ", "1.0", "1,0", "1e3", "0x10", "1_0", "true", "None"),
    *("\u0661", "\uff11", "\u00b2", "1\x00", "\n1", "\u2212" + "1"),
)
NOT_GROUP_IDS: tuple[Text, ...] = (None, "", *(text for text in NOT_INTEGERS if text != "1,0"))

ACCEPTED: dict[str, tuple[Text, ...]] = {
    "mid": ("1", "2001", "007", "0" * LONG + "1", "9223372036854775807"),
    "mids": ("1", "2001,3001", "3001,2001,3001", "007,7", "0" * LONG + "1", "9223372036854775807"),
    "pn": (None, "", "0", "-0", "-1", "-" + "9" * LONG, "1", "0001", "1000000000", "0" * LONG + "1"),
    "ps": (None, "", "0", "-1", "-" + "9" * LONG, "1", "50", "51", "100", "9" * LONG),
    "bool": (None, "", "1", "t", "T", "true", "True", "TRUE", "0", "f", "F", "false", "False", "FALSE"),
    "order": (None, "", "desc", "asc", "ASC", "x", "1", "\u0000", "号"),
    "order_type": (None, "", "attention", "Attention", "x", "1", "\u0000", "号"),
    "str": (None, "", "attention", "x", "号", "9" * LONG),
    "required str": ("attention", "x", "号", "9" * LONG, "\u0000", "1,2"),
    "offset": (None, "", "0:1", "1700000000:2001", "9223372036854775807:9223372036854775807", "9" * LONG + ":1"),
    "act": ("1", "2", "3", "4", "5", "6", "7", "007", "0" * LONG + "1"),
    "batch act": ("1", "5", "01", "0" * LONG + "5"),
    "re_src": (None, "", "0", "-0", "1", "65535", "0011"),
    "group id": ("0", "-0", "1", "-1", "-10", "-20", "-21", "007", "9223372036854775808", "9" * LONG, "-" + "9" * LONG),
    "group ids": ("0", "-10", "0,-10", "-10,-10", "1,2,3", "-0", "00", "1,0", "9" * LONG + ",-" + "9" * LONG),
}
REFUSED: dict[str, tuple[Text, ...]] = {
    "mid": (None, "", "0", "00", "-1", "1,2", "9223372036854775808", "9" * LONG, *NOT_INTEGERS),
    "mids": (
        *(None, "", "0", "-1", ",", "1,", ",1", "1,,2", "1, 2", "1;2", "1,-2", "1,x", "1,9223372036854775808"),
        *("1,1,0", "1," + "9" * LONG, *NOT_INTEGERS),
    ),
    "pn": ("1000000001", "9" * LONG, *NOT_INTEGERS),
    "ps": NOT_INTEGERS,
    "bool": ("2", "yes", "no", "on", "tRUE", "fALSE", " 1", "1 ", "null", "01", "-1", "真"),
    "order": (),
    "order_type": (),
    "str": (),
    "required str": (None, ""),
    "offset": ("1", ":", "1:", ":1", "x:1", "1:x", "1:0", "-1:1", "1:-1", "1:2:3", " 1:2", "1.5:2", "1:" + "9" * LONG),
    "act": (None, "", "0", "8", "-1", "9" * LONG, "-" + "9" * LONG, *NOT_INTEGERS),
    "batch act": (None, "", "0", "2", "3", "4", "6", "7", "8", "-1", "9" * LONG, *NOT_INTEGERS),
    "re_src": ("-1", "65536", "9" * LONG, "-" + "9" * LONG, *NOT_INTEGERS),
    "group id": (*NOT_GROUP_IDS, "1,0"),
    "group ids": (*NOT_GROUP_IDS, ",", "0,", ",0", "0,,1", "0, 1", "0;1", "0,x", "0,1.0", "0,--1"),
}

# In order for every endpoint, and without an effect: the hub is followed, and groups are emptied that are empty.
IN_ORDER = {
    "mid": str(HUB),
    "vmid": str(HUB),
    "fid": str(HUB),
    "fids": str(HUB),
    "act": "1",
    "tagid": "0",
    "tagids": "0",
    "beforeTagids": "0",
    "afterTagids": "0",
    "tag": "a name",
    "name": "a name",
}

READS = [
    pytest.param(path, name, form_of(hint).name, endpoint.login, id=f"{path}-{name}")
    for endpoint in ENDPOINTS
    for path in endpoint.paths
    for name, hint in get_type_hints(endpoint.parameters, include_extras=True).items()
    if not endpoint.write
]
WRITES = [
    pytest.param(path, name, form_of(hint).name, id=f"{path}-{name}")
    for endpoint in ENDPOINTS
    for path in endpoint.paths
    for name, hint in get_type_hints(endpoint.parameters, include_extras=True).items()
    if endpoint.write
]
PARAMETERS_OF = {path: list(get_type_hints(e.parameters)) for e in ENDPOINTS for path in e.paths}
PLACES = ("body", "query", "multipart")

# What a well-formed read may be told: the account or the group is unknown, the page is too deep for a visitor.
BUSINESS = {0, -404, 22007, 22104}


@pytest.fixture(scope="module")
def written(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server whose store is changed."""
    url = people_store(stores.new(engine))
    with quiet_server(tmp_path_factory.mktemp("written"), "--store", url) as served, client_of(served) as client:
        yield client


def sent(path: str, name: str, text: Text) -> dict[str, str]:
    """The parameters of a request: this one has this text and the others are in order."""
    values = {other: IN_ORDER[other] for other in PARAMETERS_OF[path] if other in IN_ORDER and other != name}
    return values if text is None else values | {name: text}


def encoded(values: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())


def code_of_read(client: httpx.Client, path: str, values: dict[str, str], viewer: int | None) -> int:
    response = client.get(f"{path}?{encoded(values)}", headers=bearer(viewer))
    assert response.status_code == 200
    return int(response.json()["code"])


def code_of_write(client: httpx.Client, path: str, values: dict[str, str], place: str) -> int:
    request: dict[str, Any] = {"headers": bearer(VIEWER)}
    if place == "body":
        request["headers"]["content-type"] = "application/x-www-form-urlencoded"
        request["content"] = encoded(values)
    elif place == "multipart":
        request["files"] = {name: (None, value.encode()) for name, value in values.items()}
    query = encoded(values) if place == "query" else ""
    response = client.post(f"{path}?{query}", **request)
    assert response.status_code == 200
    return int(response.json()["code"])


def shown(client: httpx.Client) -> list[Any]:
    """All that a write of the viewer may change."""
    reads = ("/x/relation/tags", "/x/relation/whispers", "/x/relation/blacks", "/x/space/myinfo")
    own = [data_of(client, path, VIEWER) for path in reads]
    lists = ("/x/relation/followings", "/x/relation/followers")
    return [*own, *(data_of(client, path, VIEWER, {"vmid": VIEWER}) for path in lists)]


@pytest.mark.parametrize(("path", "name", "form", "login"), READS)
def test_what_a_form_accepts_is_answered(seed: httpx.Client, path: str, name: str, form: str, login: Login) -> None:
    for viewer in (VIEWER,) if login is Login.REQUIRED else (None, VIEWER):
        codes = {
            text and text[:40]: code_of_read(seed, path, sent(path, name, text), viewer) for text in ACCEPTED[form]
        }
        assert {text: got for text, got in codes.items() if got not in BUSINESS} == {}
        assert 0 in codes.values() or name == "mid"


@pytest.mark.parametrize(("path", "name", "form", "login"), [case for case in READS if REFUSED[str(case.values[2])]])
def test_what_a_form_refuses_is_a_bad_request(
    seed: httpx.Client, path: str, name: str, form: str, login: Login
) -> None:
    viewer = VIEWER if login is Login.REQUIRED else None
    codes = {text and text[:40]: code_of_read(seed, path, sent(path, name, text), viewer) for text in REFUSED[form]}
    assert {text: got for text, got in codes.items() if got != -400} == {}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("path", "name", "form"), WRITES)
def test_what_a_form_accepts_is_tried_by_a_write(
    written: httpx.Client, path: str, name: str, form: str, place: str
) -> None:
    codes = {text and text[:40]: code_of_write(written, path, sent(path, name, text), place) for text in ACCEPTED[form]}
    assert {text: got for text, got in codes.items() if got == -400} == {}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("path", "name", "form"), WRITES)
def test_what_a_form_refuses_is_a_bad_request_of_a_write_and_changes_nothing(
    written: httpx.Client, path: str, name: str, form: str, place: str
) -> None:
    before = shown(written)
    codes = {text and text[:40]: code_of_write(written, path, sent(path, name, text), place) for text in REFUSED[form]}
    assert {text: got for text, got in codes.items() if got != -400} == {}
    assert shown(written) == before


def test_every_form_of_the_endpoint_table_has_its_texts_here() -> None:
    forms = {str(case.values[2]) for case in (*READS, *WRITES)}
    assert forms == set(ACCEPTED)
    assert set(ACCEPTED) == set(REFUSED)


def test_forms_act_on_the_page_they_describe(seed: httpx.Client) -> None:
    """An accepted text is not only let through: it means what the table says."""
    whole = seed.get(f"/x/relation/followers?vmid={HUB}").json()["data"]["list"]
    assert len(whole) == 12

    def page(query: str) -> object:
        return seed.get(f"/x/relation/followers?vmid={HUB}&{query}").json()["data"]["list"]

    assert page("pn=&ps=") == page("pn=0&ps=0") == page("pn=-3&ps=-3") == page("order=") == page("order=up") == whole
    assert page("ps=5") == whole[:5]
    assert page("ps=5&pn=2") == whole[5:10]
    assert page("ps=005&pn=003") == whole[10:]
    assert page("ps=100") == whole
    assert page("order=asc") == whole[::-1]


def test_forms_act_on_the_accounts_and_groups_they_name(seed: httpx.Client) -> None:
    members = data_of(seed, "/x/relation/relations", VIEWER, {"fids": f"0{FRIEND},{FOLLOWED},{FRIEND}"})
    assert list(members) == [str(FRIEND), str(FOLLOWED)]
    for tagid in ("-10", "-010"):
        assert [item["mid"] for item in data_of(seed, "/x/relation/tag", VIEWER, {"tagid": tagid})] == [FOLLOWED]
    assert len(data_of(seed, "/x/relation/tag", VIEWER, {"tagid": "-0"})) == 2


# How many members a list of mids may have

LISTS_OF_MIDS = {
    "/x/relation/relations": 1000,
    "/x/relation/batch/modify": 50,
    "/x/relation/tags/addUsers": 50,
    "/x/relation/tags/copyUsers": 50,
    "/x/relation/tags/moveUsers": 50,
}


def code_of_members(client: httpx.Client, path: str, mids: list[int]) -> int:
    """The code of a request of the hub, which follows few of these accounts."""
    values = sent(path, "fids", ",".join(map(str, mids))) | {"act": "1"}
    if path == "/x/relation/relations":
        return int(client.get(path, params=values, headers=bearer(HUB)).json()["code"])
    return int(post(client, path, HUB, values)["code"])


def check_limits(client: httpx.Client, limits: dict[str, int]) -> None:
    for path, limit in limits.items():
        within = 22105 if "/tags/" in path else 0
        mids = [90_000 + number for number in range(limit)]
        assert code_of_members(client, path, mids) == within, path
        assert code_of_members(client, path, [*mids, STRANGER]) == -400, path
        # What is named twice is one member.
        assert code_of_members(client, path, [*mids, mids[0], *mids]) == within, path


def test_a_list_of_mids_has_a_limit(written: httpx.Client) -> None:
    check_limits(written, LISTS_OF_MIDS)


def test_the_limits_of_lists_of_mids_are_settings(people_url: str, tmp_path: Path) -> None:
    flags = ("--max-relations-fids", "4", "--max-batch-fids", "2", "--max-group-fids", "3")
    limits = dict.fromkeys(LISTS_OF_MIDS, 3) | {"/x/relation/relations": 4, "/x/relation/batch/modify": 2}
    with quiet_server(tmp_path, "--store", people_url, *flags) as served, client_of(served) as client:
        check_limits(client, limits)
