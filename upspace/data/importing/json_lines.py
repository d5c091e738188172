"""Reading JSON Lines: an object on each line, with the columns as its members."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from upspace.data.columns import COUNTERS, DECORATIONS, STATISTICS, named
from upspace.data.importing.blocks import Advance, read_blocks
from upspace.data.importing.intake import Intake
from upspace.data.importing.json_cells import CellError
from upspace.data.importing.mapping import Names
from upspace.data.importing.staging import USERS, Kind, Staging

_decode = msgspec.json.Decoder().decode
# `upspace account show` prints these as objects of their own.
_NESTED = {"counters": COUNTERS, "statistics": STATISTICS}


def read_json_lines(staging: Staging, kind: Kind, path: Path, names: Names, advance: Advance) -> list[str]:
    """Read a file of JSON Lines; the members that are not used. Raises FormatError and OSError.

    An account may also be written as `upspace account show` prints it.
    """
    source = staging.add_file(path)
    intake = Intake(staging, kind, kind.columns)
    known = named(kind.columns)
    unused: dict[str, None] = {}
    for block in read_blocks(path, quoted=False):
        lines = block.data.split(b"\n")
        if block.damage:
            intake.reject(source + block.line + len(lines) - 1, block.damage)
            lines.pop()
        for index, line in enumerate(lines):
            if not line or line.isspace():
                continue
            try:
                given = _decode(line)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                intake.reject(source + block.line + index, f"not JSON: {error}")
                continue
            if not isinstance(given, dict):
                intake.reject(source + block.line + index, "not a JSON object")
                continue
            members = {name: value for theirs, value in given.items() if (name := names.ours(kind, theirs))}
            try:
                flat = _flat(members) if kind is USERS else members
            except CellError as error:
                intake.reject(source + block.line + index, str(error))
                continue
            unused |= dict.fromkeys(name for name in flat if name not in known)
            intake.take(source + block.line + index, [_text(flat.get(name)) for name in known])
        intake.flush()
        advance(block.read_bytes)
    return list(unused)


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an account with counters, totals and decorations as a file has them.

    Raises CellError for decorations that stand in two places.
    """
    if not (record.keys() & DECORATIONS or record.keys() & _NESTED.keys()):
        return dict(record)
    flat: dict[str, Any] = {}
    decorations: dict[str, Any] = {}
    for name, value in record.items():
        if name in DECORATIONS:
            decorations[name] = value
        elif name in _NESTED and isinstance(value, dict):
            flat |= {(inner if inner in _NESTED[name] else f"{name}.{inner}"): count for inner, count in value.items()}
        else:
            flat[name] = value
    if decorations:
        if "decorations" in flat:
            raise CellError(f"decorations: {', '.join(decorations)} stand outside of them")
        flat["decorations"] = decorations
    return flat


def _text(value: Any) -> str | None:
    """A value as the text of a cell."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
