"""Cells that hold JSON: what is kept for them, as the store has it. All defaults are kept as the empty text."""

from typing import Any

import msgspec

from upspace.data.columns import DECORATIONS
from upspace.records import profile_of
from upspace.relations.groups import check_new_group, read_group_name
from upspace.wire.codes import GROUP_SPECIAL
from upspace.wire.errors import ContractError
from upspace.wire.profiles import Quotas
from upspace.wire.record import decode_json, read_record

GROUP_ID_MAX = 2**53
"""Ids of groups go on counting from the highest one, which must not be the last that there is."""


class CellError(Exception):
    """What is wrong with a cell or a row, in words for a person."""


class OwnGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group as a file of users has it; `id` is what its files of relations call it."""

    id: int
    name: str


def kept_json(name: str, text: str) -> str:
    """What is kept for the JSON text in the column of that name. Raises CellError."""
    try:
        value = decode_json(text)
        match name:
            case "own_groups":
                return _own_groups(value)
            case "groups":
                return _memberships(value)
            case "decorations":
                return _record_text(name, _decorations(value))
            case _:
                return _record_text(name, {name: value})
    except (ContractError, msgspec.ValidationError) as error:
        raise CellError(f"{name}: {error}") from None


def _record_text(name: str, values: dict[str, Any]) -> str:
    record = read_record({"mid": 1, "name": "-"} | values)
    text: str | None = getattr(profile_of(record).account, name)
    return text or ""


def _decorations(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CellError("decorations: not an object")
    for name in value:
        if name not in DECORATIONS:
            raise CellError(f"decorations: there is none called {name!r}")
    return value


def _own_groups(value: Any) -> str:
    groups = sorted(msgspec.convert(value, list[OwnGroup]), key=lambda group: group.id)
    for group in groups:
        _check_id("own_groups", group.id)
        if read_group_name(group.name) != group.name:
            raise CellError(f"own_groups: {group.name!r} has white space around it")
        check_new_group((), group.name, Quotas())
    if len({group.id for group in groups}) < len(groups) or len({group.name for group in groups}) < len(groups):
        raise CellError("own_groups: two of them have the same id or name")
    return _encoded(groups)


def _memberships(value: Any) -> str:
    ids = sorted(set(msgspec.convert(value, list[int])))
    for group_id in ids:
        if group_id != GROUP_SPECIAL:
            _check_id("groups", group_id)
    return _encoded(ids)


def _check_id(name: str, group_id: int) -> None:
    if not 1 <= group_id <= GROUP_ID_MAX:
        raise CellError(f"{name}: {group_id} is no id of a group, which is within 1 to {GROUP_ID_MAX}")


def _encoded(values: list[Any]) -> str:
    return msgspec.json.encode(values).decode() if values else ""
