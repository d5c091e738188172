"""Reads an engine's `queries.sql`: statements under names, in their order."""

import re
from importlib.resources import files

_HEADING = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def read_queries(package: str) -> dict[str, str]:
    """The statements of the `queries.sql` in an engine's package, keyed by name.

    A statement follows its heading `-- name: NAME`. A name given twice raises ValueError.
    """
    text = files(package).joinpath("queries.sql").read_text(encoding="utf-8")
    parts = _HEADING.split(text)[1:]
    queries: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"{package}: two queries are named {name}")
        queries[name] = body.strip().removesuffix(";")
    return queries
