"""The OpenAPI 3.1 document of the endpoint table."""

from typing import Any, get_type_hints

import msgspec
from msgspec import Struct

from upspace.wire.endpoints import ENDPOINTS, Endpoint, Login
from upspace.wire.errors import TABLE
from upspace.wire.forms import form_of

_REF = "#/components/schemas/{name}"


def build_openapi(version: str) -> dict[str, Any]:
    """The document as plain values: every path and alias, parameter bounds, replies with their envelopes."""
    replies = [reply for endpoint in ENDPOINTS for reply in endpoint.replies]
    _, schemas = msgspec.json.schema_components(replies, ref_template=_REF)
    structs = [struct for reply in replies for struct in _structs_in(reply)]
    for name, schema in schemas.items():
        _complete(schema, _struct_named(name, structs))
    schemas["Failure"] = _failure()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "upspace",
            "version": version,
            "summary": "A self-hosted service that speaks the Bilibili user API",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {path: _path_item(endpoint, path) for endpoint in ENDPOINTS for path in endpoint.paths},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "access_key": {"type": "apiKey", "in": "query", "name": "access_key"},
                "session": {"type": "apiKey", "in": "cookie", "name": "SESSDATA"},
            },
        },
    }


def _path_item(endpoint: Endpoint, path: str) -> dict[str, Any]:
    operation = {
        "operationId": endpoint.name if path == endpoint.paths[0] else path.strip("/").replace("/", "_"),
        "summary": endpoint.summary,
        "description": f"Contract, section {endpoint.section}.",
        "parameters": _parameters(endpoint),
        "security": _security(endpoint.login),
        "responses": {
            "200": {"description": "Success, or a refusal with its code", "content": _json(_envelopes(endpoint))},
            "default": {"description": "A fault", "content": _json({"$ref": _REF.format(name="Failure")})},
        },
    }
    if endpoint.write:
        operation["requestBody"] = _form_body(endpoint)
    elif endpoint.method == "POST":
        operation["requestBody"] = {"content": {"application/json": {"schema": {}}}}
    return {endpoint.method.lower(): operation}


def _form_body(endpoint: Endpoint) -> dict[str, Any]:
    """The parameters of a write, in the body. Each may stand in the query string instead."""
    forms = {name: form_of(hint) for name, hint in get_type_hints(endpoint.parameters, include_extras=True).items()}
    properties = {name: form.schema for name, form in forms.items()}
    csrf = {"type": "string", "description": "asked for with the cookie SESSDATA; csrf_token is its other name"}
    schema = {
        "type": "object",
        "properties": {**properties, "csrf": csrf},
        "required": [name for name, form in forms.items() if form.required],
    }
    return {
        "content": {kind: {"schema": schema} for kind in ("application/x-www-form-urlencoded", "multipart/form-data")}
    }


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    if endpoint.write:
        return []
    parameters = []
    for name, hint in get_type_hints(endpoint.parameters, include_extras=True).items():
        form = form_of(hint)
        parameters.append({"name": name, "in": "query", "required": form.required, "schema": form.schema})
    if endpoint.method == "GET":
        schema = {"type": "string", "pattern": r"^([A-Za-z_$][A-Za-z0-9_$.]{0,63})?$"}
        parameters.append(
            {"name": "callback", "in": "query", "required": False, "schema": schema, "description": "JSONP"}
        )
    return parameters


def _security(login: Login) -> list[dict[str, list[str]]]:
    credentials: list[dict[str, list[str]]] = [{"bearer": []}, {"access_key": []}, {"session": []}]
    return credentials if login is Login.REQUIRED else [{}, *credentials]


def _envelopes(endpoint: Endpoint) -> dict[str, Any]:
    data, _ = msgspec.json.schema_components(endpoint.replies, ref_template=_REF)
    properties: dict[str, Any] = {
        "code": {"const": 0},
        "message": {"const": endpoint.message},
        "ttl": {"const": 1},
    }
    if data:
        properties["data"] = data[0] if len(data) == 1 else {"anyOf": list(data)}
    success = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"oneOf": [success, {"$ref": _REF.format(name="Failure")}]}


def _failure() -> dict[str, Any]:
    return {
        "title": "Failure",
        "type": "object",
        "properties": {
            "code": {"enum": sorted(TABLE)},
            "message": {"enum": sorted({error.message for error in TABLE.values()})},
            "ttl": {"const": 1},
            "data": {"type": "object"},
        },
        "required": ["code", "message", "ttl"],
        "additionalProperties": False,
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}, "application/javascript": {"schema": {"type": "string"}}}


def _complete(schema: dict[str, Any], struct: type[Struct]) -> None:
    """A reply carries every field it has, defaults included, but those that are UNSET in an era."""
    schema["required"] = [
        field.encode_name for field in msgspec.structs.fields(struct) if field.default is not msgspec.UNSET
    ]
    schema["additionalProperties"] = False
    for described in schema["properties"].values():
        described.pop("default", None)


def _struct_named(name: str, roots: list[type[Struct]]) -> type[Struct]:
    pending, seen = list(roots), set()
    while pending:
        struct = pending.pop()
        if struct.__name__ == name:
            return struct
        if struct in seen:
            continue
        seen.add(struct)
        for hint in get_type_hints(struct).values():
            pending += _structs_in(hint)
    raise LookupError(name)


def _structs_in(hint: Any) -> list[type[Struct]]:
    if isinstance(hint, type) and issubclass(hint, Struct):
        return [hint]
    return [struct for part in getattr(hint, "__args__", ()) for struct in _structs_in(part)]
