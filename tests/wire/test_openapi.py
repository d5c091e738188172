"""The OpenAPI document: valid, complete, and as strict as the forms are (contract 1 to 3, 5.3, 6 to 10)."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from upspace.wire.endpoints import ENDPOINTS
from upspace.wire.errors import TABLE, BadRequestError
from upspace.wire.forms import ACT, BATCH_ACT, BATCH_MIDS, CURSOR, GROUP_ID, GROUP_IDS, MID, PN, PS, RE_SRC, Form
from upspace.wire.openapi import build_openapi

DOCUMENT = build_openapi("1.2.3")

MID_SCHEMA = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 9223372036854775807}

# Every path, its method, and its own parameters in order: of a GET in the query, of a POST in the body.
CONTRACT = {
    "/x/space/acc/info": ("get", ["mid"]),
    "/x/space/wbi/acc/info": ("get", ["mid"]),
    "/x/web-interface/card": ("get", ["mid", "photo"]),
    "/x/space/upstat": ("get", ["mid"]),
    "/x/relation/stat": ("get", ["vmid"]),
    "/x/relation/followers": ("get", ["vmid", "pn", "ps", "order"]),
    "/x/relation/followings": ("get", ["vmid", "pn", "ps", "order", "order_type"]),
    "/x/relation": ("get", ["fid"]),
    "/x/relation/relations": ("get", ["fids"]),
    "/x/space/acc/relation": ("get", ["mid"]),
    "/x/space/wbi/acc/relation": ("get", ["mid"]),
    "/x/web-interface/relation": ("get", ["mid"]),
    "/x/relation/followings/search": ("get", ["vmid", "name", "pn", "ps"]),
    "/x/relation/same/followings": ("get", ["vmid", "pn", "ps"]),
    "/x/relation/whispers": ("get", ["pn", "ps"]),
    "/x/relation/friends": ("get", ["pn", "ps"]),
    "/x/relation/blacks": ("get", ["pn", "ps"]),
    "/x/relation/modify": ("post", ["fid", "act", "re_src"]),
    "/x/relation/batch/modify": ("post", ["fids", "act", "re_src"]),
    "/x/relation/tags": ("get", []),
    "/x/relation/tag": ("get", ["tagid", "order_type", "pn", "ps"]),
    "/x/relation/tag/user": ("get", ["fid"]),
    "/x/relation/tag/special": ("get", ["pn", "ps"]),
    "/x/relation/tag/create": ("post", ["tag"]),
    "/x/relation/tag/update": ("post", ["tagid", "name"]),
    "/x/relation/tag/del": ("post", ["tagid"]),
    "/x/relation/tags/addUsers": ("post", ["fids", "tagids"]),
    "/x/relation/tags/copyUsers": ("post", ["fids", "tagids"]),
    "/x/relation/tags/moveUsers": ("post", ["beforeTagids", "afterTagids", "fids"]),
    "/x/relation/fans": ("get", ["vmid", "pn", "ps", "offset"]),
    "/x/web-interface/nav": ("get", []),
    "/x/space/myinfo": ("get", []),
    "/x/space/v2/myinfo": ("get", []),
    "/x/frontend/finger/spi": ("get", []),
    "/x/internal/gaia-gateway/ExClimbWuzhi": ("post", []),
}
WUZHI = "/x/internal/gaia-gateway/ExClimbWuzhi"
WRITES = [path for path, (method, _) in CONTRACT.items() if method == "post" and path != WUZHI]
READS = [path for path in CONTRACT if path not in WRITES]

REQUIRED = {"mid", "vmid", "fid", "fids", "act", "tagid", "tag", "tagids", "beforeTagids", "afterTagids"}
# `name` is what to look for in a search, and what to call a group.
NAME_REQUIRED = "/x/relation/tag/update"

OPEN = {
    *("/x/space/acc/info", "/x/space/wbi/acc/info", "/x/web-interface/card", "/x/space/upstat", "/x/relation/stat"),
    *("/x/relation/followers", "/x/relation/followings", "/x/relation/fans", "/x/relation/followings/search"),
    *("/x/web-interface/nav", "/x/frontend/finger/spi", WUZHI),
}

# What `data` is in a success: the name of an object, a list or a map of them, or nothing.
REPLIES: dict[str, Any] = {
    "/x/space/acc/info": "AccInfo",
    "/x/space/wbi/acc/info": "AccInfo",
    "/x/web-interface/card": "Card",
    "/x/space/upstat": ("UpstatReply", "Empty"),
    "/x/relation/stat": "RelationStat",
    "/x/relation/followers": "RelationList",
    "/x/relation/followings": "RelationList",
    "/x/relation": "RelationAttribute",
    "/x/relation/relations": {"": "RelationAttribute"},
    "/x/space/acc/relation": "MutualAttributes",
    "/x/space/wbi/acc/relation": "MutualAttributes",
    "/x/web-interface/relation": "MutualAttributes",
    "/x/relation/followings/search": "FoundList",
    "/x/relation/same/followings": "RelationList",
    "/x/relation/whispers": "OwnList",
    "/x/relation/friends": "OwnList",
    "/x/relation/blacks": "RelationList",
    "/x/relation/modify": None,
    "/x/relation/batch/modify": "FailedBatch",
    "/x/relation/tags": ["GroupReply"],
    "/x/relation/tag": ["GroupItem"],
    "/x/relation/tag/user": {"": "string"},
    "/x/relation/tag/special": ["integer"],
    "/x/relation/tag/create": "CreatedGroup",
    "/x/relation/tag/update": None,
    "/x/relation/tag/del": None,
    "/x/relation/tags/addUsers": None,
    "/x/relation/tags/copyUsers": None,
    "/x/relation/tags/moveUsers": None,
    "/x/relation/fans": "FansList",
    "/x/web-interface/nav": "Nav",
    "/x/space/myinfo": "MyInfo",
    "/x/space/v2/myinfo": "MyInfo",
    "/x/frontend/finger/spi": "Fingerprints",
    WUZHI: "Empty",
}

ITEM = [
    *("mid", "attribute", "mtime", "tag", "special", "contract_info", "uname", "face", "sign", "face_nft"),
    *("official_verify", "vip", "name_render", "nft_icon", "rec_reason", "track_id", "follow_time"),
]

# The keys of the objects that sections 7 and 8 name, in order.
KEYS = {
    "RelationAttribute": ["mid", "attribute", "mtime", "tag", "special"],
    "MutualAttributes": ["relation", "be_relation"],
    "RelationList": ["list", "re_version", "total"],
    "FoundList": ["list", "total"],
    "OwnList": ["list", "re_version"],
    "FansList": ["list", "offset", "re_version", "total"],
    "RelationItem": ITEM,
    "FailedBatch": ["failed_fids"],
    "GroupReply": ["tagid", "name", "count", "tip"],
    "GroupItem": [
        *(name for name in ITEM[: ITEM.index("name_render")] if name != "mtime"),
        *("live", *ITEM[ITEM.index("name_render") :]),
    ],
    "Live": ["live_status", "jump_url"],
    "CreatedGroup": ["tagid"],
}

MIDS_PATTERN, GROUP_IDS_PATTERN = "^[0-9]+(,[0-9]+)*$", "^-?[0-9]+(,-?[0-9]+)*$"
# The bounds of what a write is told, and of what it shares with reads.
SCHEMAS: dict[str, dict[str, Any]] = {
    "mid": MID_SCHEMA,
    "vmid": MID_SCHEMA,
    "fid": MID_SCHEMA,
    "fids": {"type": "string", "pattern": MIDS_PATTERN},
    "act": {"type": "integer", "minimum": 1, "maximum": 7},
    "re_src": {"type": "integer", "minimum": 0, "maximum": 65535, "default": 0},
    "tagid": {"type": "integer", "format": "int64"},
    "tagids": {"type": "string", "pattern": GROUP_IDS_PATTERN},
    "beforeTagids": {"type": "string", "pattern": GROUP_IDS_PATTERN},
    "afterTagids": {"type": "string", "pattern": GROUP_IDS_PATTERN},
    "tag": {"type": "string", "minLength": 1},
}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every path, method and operation of the document."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def operation_of(path: str) -> dict[str, Any]:
    """The one operation of a path."""
    (operation,) = DOCUMENT["paths"][path].values()
    return dict(operation)


def described(path: str) -> dict[str, dict[str, Any]]:
    """What the document says of each parameter of a path, in order: `required` and `schema`."""
    operation = operation_of(path)
    if path not in WRITES:
        return {each["name"]: each for each in operation["parameters"]}
    body = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    return {
        name: {"required": name in body["required"], "schema": schema} for name, schema in body["properties"].items()
    }


def parameter(path: str, name: str) -> dict[str, Any]:
    """One parameter of a path."""
    return described(path)[name]


def shape(schema: dict[str, Any]) -> Any:
    """A schema of a reply as REPLIES has it."""
    if "$ref" in schema:
        return schema["$ref"].removeprefix("#/components/schemas/")
    if "anyOf" in schema:
        return tuple(shape(each) for each in schema["anyOf"])
    if schema["type"] == "array":
        return [shape(schema["items"])]
    if schema["type"] == "object":
        return {"": shape(schema["additionalProperties"])}
    return schema["type"]


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
    assert list(described(path)) == names + ["csrf"] * (path in WRITES) + ["callback"] * (method == "get")
    own = [each["name"] for each in operation_of(path)["parameters"]]
    assert own == ([] if method == "post" else [*names, "callback"])
    assert all(each["in"] == "query" for each in operation_of(path)["parameters"])


def test_each_path_and_alias_of_the_endpoint_table_is_in_the_document_and_in_the_contract() -> None:
    assert set(DOCUMENT["paths"]) == {path for endpoint in ENDPOINTS for path in endpoint.paths}
    assert set(DOCUMENT["paths"]) == set(CONTRACT) == set(REPLIES)


@pytest.mark.parametrize("path", WRITES)
def test_a_write_has_one_body_in_either_of_two_types(path: str) -> None:
    content = operation_of(path)["requestBody"]["content"]
    assert list(content) == ["application/x-www-form-urlencoded", "multipart/form-data"]
    (schema, other) = (described["schema"] for described in content.values())
    assert schema == other
    assert schema["type"] == "object"


def test_no_read_has_a_body_and_what_clients_report_has_any() -> None:
    assert [path for path in READS if "requestBody" in operation_of(path)] == [WUZHI]
    assert operation_of(WUZHI)["requestBody"] == {"content": {"application/json": {"schema": {}}}}


@pytest.mark.parametrize("path", CONTRACT)
def test_a_success_is_described_as_the_contract_has_it(path: str) -> None:
    content = operation_of(path)["responses"]["200"]["content"]
    assert list(content) == ["application/json", "application/javascript"]
    success, failure = content["application/json"]["schema"]["oneOf"]
    assert shape(failure) == "Failure"
    names = ["code", "message", "ttl"] + ["data"] * (REPLIES[path] is not None)
    assert list(success["properties"]) == success["required"] == names
    assert success["additionalProperties"] is False
    constants = [success["properties"][name]["const"] for name in ("code", "message", "ttl")]
    assert constants == [0, "ok" if path == "/x/frontend/finger/spi" else "0", 1]
    if REPLIES[path] is not None:
        assert shape(success["properties"]["data"]) == REPLIES[path]


@pytest.mark.parametrize("name", KEYS)
def test_an_object_has_the_keys_of_the_contract_in_order_and_no_other(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    recent = {"name_render", "rec_reason", "track_id", "follow_time"}
    assert list(schema["properties"]) == KEYS[name]
    assert schema["required"] == [key for key in KEYS[name] if key not in recent]
    assert schema["additionalProperties"] is False


def test_no_two_operations_share_an_id() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids) == len(DOCUMENT["paths"])


@pytest.mark.parametrize("path", [path for path, (_, names) in CONTRACT.items() if names])
def test_what_names_an_account_a_group_or_an_act_is_required_and_nothing_else(path: str) -> None:
    names = CONTRACT[path][1]
    required = [name for name in names if name in REQUIRED or (name, path) == ("name", NAME_REQUIRED)]
    assert [name for name in names if parameter(path, name)["required"]] == required
    assert not parameter(path, "csrf" if path in WRITES else "callback")["required"]


@pytest.mark.parametrize("path", [path for path, (_, names) in CONTRACT.items() if names])
def test_the_bounds_of_a_parameter_are_those_of_the_contract(path: str) -> None:
    schemas = SCHEMAS | ({"act": {"type": "integer", "enum": [1, 5]}} if path == "/x/relation/batch/modify" else {})
    for name in CONTRACT[path][1]:
        if name in schemas:
            assert parameter(path, name)["schema"] == schemas[name]
    text = {"type": "string", "minLength": 1} if path == NAME_REQUIRED else {"type": "string"}
    assert "name" not in CONTRACT[path][1] or parameter(path, "name")["schema"] == text


@pytest.mark.parametrize("path", [path for path, (_, names) in CONTRACT.items() if "pn" in names])
def test_the_bounds_of_a_page_are_those_of_the_contract(path: str) -> None:
    # These two give the whole list unless a page of it is asked for.
    whole = path in ("/x/relation/friends", "/x/relation/tag/special")
    default = {} if whole else {"default": 1}
    assert parameter(path, "pn")["schema"] == {"type": "integer", "maximum": 1_000_000_000} | default
    # A larger ps is lowered and a smaller one means the default, so neither is out of bounds.
    schema = parameter(path, "ps")["schema"]
    assert (schema["type"], "maximum" in schema, "minimum" in schema) == ("integer", False, False)


def test_photo_offers_every_spelling_of_a_bool() -> None:
    spellings = {"", "0", "1", "t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"}
    assert set(parameter("/x/web-interface/card", "photo")["schema"]["enum"]) == spellings


@pytest.mark.parametrize("form", [MID, PN, PS, ACT, BATCH_ACT, RE_SRC, GROUP_ID], ids=lambda form: form.name)
@settings(deadline=None)
@given(
    number=st.integers() | st.integers(-2, 60) | st.integers(2**63 - 3, 2**63 + 3) | st.integers(10**9 - 3, 10**9 + 3)
)
def test_the_bounds_in_the_document_are_those_the_form_keeps(form: Form[Any], number: int) -> None:
    within = form.schema.get("minimum", number) <= number <= form.schema.get("maximum", number)
    within = within and number in form.schema.get("enum", [number])
    try:
        form.read(str(number))
    except BadRequestError:
        assert not within
    else:
        assert within


@pytest.mark.parametrize("form", [BATCH_MIDS, GROUP_IDS, CURSOR], ids=lambda form: form.name)
@settings(deadline=None)
@given(
    text=st.text("0123456789,:-", max_size=12)
    | st.lists(st.integers(-3, 12)).map(lambda mids: ",".join(map(str, mids)))
)
def test_what_a_form_accepts_matches_its_pattern(form: Form[Any], text: str) -> None:
    try:
        form.read(text)
    except BadRequestError:
        return
    assert re.search(form.schema["pattern"], text)


def test_every_reference_points_at_something() -> None:
    names = {reference.removeprefix("#/components/schemas/") for reference in references(DOCUMENT)}
    assert names
    assert names <= set(DOCUMENT["components"]["schemas"])


def test_a_failure_may_have_every_code_of_the_error_table_and_no_other() -> None:
    failure = DOCUMENT["components"]["schemas"]["Failure"]
    assert set(failure["properties"]["code"]["enum"]) == set(TABLE)
    assert failure["required"] == ["code", "message", "ttl"]


@pytest.mark.parametrize("path", CONTRACT)
def test_only_what_needs_a_viewer_refuses_the_anonymous(path: str) -> None:
    security = operation_of(path)["security"]
    assert ({} in security) == (path in OPEN)
    assert {name for way in security for name in way} == set(DOCUMENT["components"]["securitySchemes"])
