"""Every parameter of every endpoint takes and refuses what its form says (contract 3, parameter forms)."""

from typing import get_type_hints
from urllib.parse import quote

import httpx
import pytest
from people import HUB, VIEWER, bearer

from upspace.wire.endpoints import ENDPOINTS
from upspace.wire.forms import form_of

Text = str | None  # None: the parameter is absent

LONG = 5000
NOT_INTEGERS: tuple[Text, ...] = (
    *("x", "-", "--1", "+1", " 1", "1 ", "1.0", "1,0", "1e3", "0x10", "1_0", "true", "None"),
    *("\u0661", "\uff11", "\u00b2", "1\x00", "\n1", "\u2212" + "1"),
)

ACCEPTED: dict[str, tuple[Text, ...]] = {
    "mid": ("1", "2001", "007", "0" * LONG + "1", "9223372036854775807"),
    "pn": (None, "", "0", "-0", "-1", "-" + "9" * LONG, "1", "0001", "1000000000", "0" * LONG + "1"),
    "ps": (None, "", "0", "-1", "-" + "9" * LONG, "1", "50", "51", "100", "9" * LONG),
    "bool": (None, "", "1", "t", "T", "true", "True", "TRUE", "0", "f", "F", "false", "False", "FALSE"),
    "order": (None, "", "desc", "asc", "ASC", "x", "1", "\u0000", "号"),
    "str": (None, "", "attention", "x", "号", "9" * LONG),
    "offset": (None, "", "0:1", "1700000000:2001", "9223372036854775807:9223372036854775807", "9" * LONG + ":1"),
}
REFUSED: dict[str, tuple[Text, ...]] = {
    "mid": (None, "", "0", "00", "-1", "1,2", "9223372036854775808", "9" * LONG, *NOT_INTEGERS),
    "pn": ("1000000001", "9" * LONG, *NOT_INTEGERS),
    "ps": NOT_INTEGERS,
    "bool": ("2", "yes", "no", "on", "tRUE", "fALSE", " 1", "1 ", "null", "01", "-1", "真"),
    "order": (),
    "str": (),
    "offset": ("1", ":", "1:", ":1", "x:1", "1:x", "1:0", "-1:1", "1:-1", "1:2:3", " 1:2", "1.5:2", "1:" + "9" * LONG),
}

PARAMETERS = [
    pytest.param(path, name, form_of(hint).name, id=f"{path}-{name}")
    for endpoint in ENDPOINTS
    for path in endpoint.paths
    for name, hint in get_type_hints(endpoint.parameters, include_extras=True).items()
]

# What a well-formed request may be told: the account is unknown, the page is too deep for a visitor.
BUSINESS = {0, -404, 22007}


def code(client: httpx.Client, path: str, name: str, text: Text, viewer: int | None = None) -> int:
    """The code when one parameter has this text and the others are in order."""
    target = "mid" if "/relation/" not in path else "vmid"
    values = {target: str(HUB), name: text}
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in values.items() if value is not None)
    response = client.get(f"{path}?{query}", headers=bearer(viewer))
    assert response.status_code == 200
    return int(response.json()["code"])


@pytest.mark.parametrize(("path", "name", "form"), PARAMETERS)
def test_what_a_form_accepts_is_answered(seed: httpx.Client, path: str, name: str, form: str) -> None:
    for viewer in (None, VIEWER):
        codes = {text and text[:40]: code(seed, path, name, text, viewer) for text in ACCEPTED[form]}
        assert {text: got for text, got in codes.items() if got not in BUSINESS} == {}
        assert 0 in codes.values() or name == "mid"


@pytest.mark.parametrize(("path", "name", "form"), [case for case in PARAMETERS if REFUSED[str(case.values[2])]])
def test_what_a_form_refuses_is_a_bad_request(seed: httpx.Client, path: str, name: str, form: str) -> None:
    codes = {text and text[:40]: code(seed, path, name, text) for text in REFUSED[form]}
    assert {text: got for text, got in codes.items() if got != -400} == {}


def test_every_form_of_the_endpoint_table_has_its_texts_here() -> None:
    forms = {str(case.values[2]) for case in PARAMETERS}
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
