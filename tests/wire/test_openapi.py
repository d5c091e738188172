"""The OpenAPI document: valid, complete, and as strict as the forms are."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from upspace.wire.endpoints import ENDPOINTS
from upspace.wire.errors import TABLE, BadRequestError
from upspace.wire.forms import MID, PN, PS, Form
from upspace.wire.openapi import build_openapi

DOCUMENT = build_openapi("1.2.3")

MID_SCHEMA = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 9223372036854775807}

# Path, method, and its own parameters in order; the first of them is the target wherever there is one.
CONTRACT = {
    "/x/space/acc/info": ("get", ["mid"]),
    "/x/space/wbi/acc/info": ("get", ["mid"]),
    "/x/web-interface/card": ("get", ["mid", "photo"]),
    "/x/space/upstat": ("get", ["mid"]),
    "/x/relation/stat": ("get", ["vmid"]),
    "/x/relation/followers": ("get", ["vmid", "pn", "ps", "order"]),
    "/x/relation/followings": ("get", ["vmid", "pn", "ps", "order", "order_type"]),
    "/x/relation/fans": ("get", ["vmid", "pn", "ps", "offset"]),
    "/x/web-interface/nav": ("get", []),
    "/x/space/myinfo": ("get", []),
    "/x/space/v2/myinfo": ("get", []),
    "/x/frontend/finger/spi": ("get", []),
    "/x/internal/gaia-gateway/ExClimbWuzhi": ("post", []),
}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every path, method and operation of the document."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def parameter(path: str, name: str) -> dict[str, Any]:
    """One parameter of the one operation of a path."""
    (operation,) = DOCUMENT["paths"][path].values()
    (found,) = (parameter for parameter in operation["parameters"] if parameter["name"] == name)
    return dict(found)


def references(value: Any) -> Iterator[str]:
    """Every $ref within a part of the document."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_document_is_valid_openapi_3_1() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["info"]["version"] == "1.2.3"


def test_the_validator_refuses_a_document_that_is_not_valid() -> None:
    broken = DOCUMENT | {"paths": {"/x": {"get": {"responses": {"200": {}}}}}}
    assert list(OpenAPIV31SpecValidator(broken).iter_errors()) != []


@pytest.mark.parametrize("path", CONTRACT)
def test_each_path_of_the_contract_has_its_method_and_its_parameters_in_order(path: str) -> None:
    method, names = CONTRACT[path]
    assert list(DOCUMENT["paths"][path]) == [method]
    own = [parameter["name"] for parameter in DOCUMENT["paths"][path][method]["parameters"]]
    assert own == names + ["callback"] * (method == "get")


def test_each_path_and_alias_of_the_endpoint_table_is_in_the_document() -> None:
    assert set(DOCUMENT["paths"]) == {path for endpoint in ENDPOINTS for path in endpoint.paths}
    assert set(CONTRACT) <= set(DOCUMENT["paths"])


def test_no_two_operations_share_an_id() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids) == len(DOCUMENT["paths"])


@pytest.mark.parametrize("path", [path for path, (_, names) in CONTRACT.items() if names])
def test_the_target_alone_is_required_and_it_is_a_mid(path: str) -> None:
    names = CONTRACT[path][1]
    assert [name for name in names if parameter(path, name)["required"]] == names[:1]
    assert parameter(path, names[0])["schema"] == MID_SCHEMA


@pytest.mark.parametrize("path", ["/x/relation/followers", "/x/relation/followings", "/x/relation/fans"])
def test_the_bounds_of_a_page_are_those_of_the_contract(path: str) -> None:
    assert parameter(path, "pn")["schema"] == {"type": "integer", "maximum": 1_000_000_000, "default": 1}
    # A larger ps is lowered and a smaller one means the default, so neither is out of bounds.
    schema = parameter(path, "ps")["schema"]
    assert (schema["type"], "maximum" in schema, "minimum" in schema) == ("integer", False, False)


def test_photo_offers_every_spelling_of_a_bool() -> None:
    spellings = {"", "0", "1", "t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"}
    assert set(parameter("/x/web-interface/card", "photo")["schema"]["enum"]) == spellings


@pytest.mark.parametrize("form", [MID, PN, PS], ids=lambda form: form.name)
@settings(deadline=None)
@given(
    number=st.integers() | st.integers(-2, 60) | st.integers(2**63 - 3, 2**63 + 3) | st.integers(10**9 - 3, 10**9 + 3)
)
def test_the_bounds_in_the_document_are_those_the_form_keeps(form: Form[Any], number: int) -> None:
    within = form.schema.get("minimum", number) <= number <= form.schema.get("maximum", number)
    try:
        form.read(str(number))
    except BadRequestError:
        assert not within
    else:
        assert within


def test_every_reference_points_at_something() -> None:
    names = {reference.removeprefix("#/components/schemas/") for reference in references(DOCUMENT)}
    assert names
    assert names <= set(DOCUMENT["components"]["schemas"])


def test_a_failure_may_have_every_code_of_the_error_table_and_no_other() -> None:
    failure = DOCUMENT["components"]["schemas"]["Failure"]
    assert set(failure["properties"]["code"]["enum"]) == set(TABLE)
    assert failure["required"] == ["code", "message", "ttl"]


def test_a_list_item_requires_what_both_eras_send_and_knows_what_recent_adds() -> None:
    item = DOCUMENT["components"]["schemas"]["RelationItem"]
    recent = {"name_render", "rec_reason", "track_id", "follow_time"}
    assert set(item["properties"]) - set(item["required"]) == recent
    assert item["additionalProperties"] is False


@pytest.mark.parametrize("path", CONTRACT)
def test_only_what_needs_a_viewer_refuses_the_anonymous(path: str) -> None:
    (operation,) = DOCUMENT["paths"][path].values()
    assert ({} in operation["security"]) == (path not in ("/x/space/myinfo", "/x/space/v2/myinfo"))
    named = {name for way in operation["security"] for name in way}
    assert named == set(DOCUMENT["components"]["securitySchemes"])
