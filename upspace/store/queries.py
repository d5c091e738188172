"""Reads the statements of an engine: they stand in files beside it, under names, in their order."""

import re
from importlib.resources import files

_HEADING = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def read_queries(package: str, file: str = "queries.sql") -> dict[str, str]:
    """The statements of a file in an engine's package, keyed by name.

    A statement follows its heading `-- name: NAME`. A name given twice raises ValueError.
    """
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    parts = _HEADING.split(text)[1:]
    queries: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"{package}: two queries are named {name}")
        queries[name] = body.strip().removesuffix(";")
    return queries
