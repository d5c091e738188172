"""Every file below upspace/ imports only what its room may: the import table of the house, as data."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import upspace

HOUSE = Path(upspace.__file__).parent

# What each room may import from us: a dotted name stands for itself and for everything below it.
ROOMS: dict[str, tuple[str, ...]] = {
    "__init__": (),
    "__main__": ("upspace.cli",),
    "model": (),
    "wire": ("upspace.wire",),
    # joins model and wire, which do not know each other, for all who read and write accounts as JSON
    "records": ("upspace.model", "upspace.wire"),
    "relations": (
        "upspace.relations",
        "upspace.model",
        "upspace.wire.codes",
        "upspace.wire.errors",
        "upspace.wire.profiles",
    ),
    "store": ("upspace.store", "upspace.model", "upspace.wire.codes"),
    "server": (
        "upspace.server",
        "upspace.model",
        "upspace.wire",
        "upspace.records",
        "upspace.relations",
        "upspace.store.interface",
        # how a URL may be shown
        "upspace.store.urls",
        "upspace.__version__",
    ),
    "client": ("upspace.client", "upspace.wire"),
    "proxy": ("upspace.proxy", "upspace.wire"),
    "data": (
        "upspace.data",
        "upspace.model",
        "upspace.wire",
        "upspace.records",
        "upspace.relations",
        "upspace.store.interface",
        # rows as every engine has them, and whole stores of them in and out
        "upspace.store.tables",
        "upspace.store.moving",
        "upspace.store.queries",
        "upspace.store.open_store",
        "upspace.store.make_store",
        "upspace.store.fill_store",
        "upspace.store.read_store",
        "upspace.store.store_files",
    ),
    "web": ("upspace.web", "upspace.wire", "upspace.server"),
    "testing": ("upspace",),
    "cli": ("upspace",),
}

# The files that open a store themselves: a worker, which is handed nothing but settings, and its runner.
DOORS: dict[str, tuple[str, ...]] = {
    "server/worker.py": ("upspace.store.open_store",),
    # opens the store once before the workers do, to fail early, and tidies up after them
    "server/run.py": ("upspace.store.open_store", "upspace.store.tidy_store"),
}

# What an import of a name that no one can read in the source counts as.
MADE_AT_RUN_TIME = "upspace.?"

FILES = sorted(path.relative_to(HOUSE).as_posix() for path in HOUSE.rglob("*.py"))


def imported_names(file: str, source: str) -> Iterator[str]:
    """The dotted names that a file imports, wherever in the file; `from a import b` is `a.b`."""
    package = ("upspace", *Path(file).parts[:-1])
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join((*base, *([node.module] if node.module else [])))
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
            first = node.args[0] if node.args else None
            known = isinstance(first, ast.Constant) and isinstance(first.value, str)
            yield str(first.value) if known and isinstance(first, ast.Constant) else MADE_AT_RUN_TIME


def called(node: ast.Call) -> str:
    """The last part of the name of what is called."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def violations(file: str, source: str) -> list[str]:
    """What a file imports and may not; a file in no known room is a violation itself."""
    room = Path(file).parts[0].removesuffix(".py")
    if room not in ROOMS:
        return [f"{file} is in no room of the house"]
    allowed = ROOMS[room] + DOORS.get(file, ())
    return [
        f"{file} imports {name}"
        for name in imported_names(file, source)
        if name.split(".")[0] == "upspace"
        and not any(name == prefix or name.startswith(prefix + ".") for prefix in allowed)
    ]


def test_the_files_of_the_house_are_found() -> None:
    assert {"__init__.py", "model.py", "wire/forms.py", "store/sqlite/store.py", "server/worker.py"} <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_a_file_imports_only_what_its_room_may(file: str) -> None:
    assert violations(file, (HOUSE / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source", "name"),
    [
        ("model.py", "from upspace.wire import codes", "upspace.wire.codes"),
        ("model.py", "import upspace.wire.codes as c", "upspace.wire.codes"),
        ("model.py", "import upspace", "upspace"),
        ("wire/forms.py", "from upspace.model import Account", "upspace.model.Account"),
        ("wire/forms.py", "from ..model import Account", "upspace.model.Account"),
        ("wire/forms.py", "from .. import model", "upspace.model"),
        ("wire/forms.py", "def f():\n    from upspace import server", "upspace.server"),
        (
            "wire/forms.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from upspace.store.interface import Store",
            "upspace.store.interface.Store",
        ),
        ("relations/paging.py", "from upspace.wire.forms import MID", "upspace.wire.forms.MID"),
        ("relations/paging.py", "from upspace.wire import forms", "upspace.wire.forms"),
        ("relations/paging.py", "from upspace.wire import *", "upspace.wire.*"),
        ("store/sqlite/store.py", "from upspace.wire.errors import TABLE", "upspace.wire.errors.TABLE"),
        ("store/sqlite/store.py", "from ...wire import errors", "upspace.wire.errors"),
        (
            "server/app.py",
            "from upspace.store.sqlite.store import SqliteStore",
            "upspace.store.sqlite.store.SqliteStore",
        ),
        ("server/app.py", "from upspace.store import open_store", "upspace.store.open_store"),
        ("server/worker.py", "from upspace.store import migrate_store", "upspace.store.migrate_store"),
        ("server/worker.py", "import upspace.store", "upspace.store"),
        ("server/worker.py", "from upspace.store.sqlite import store", "upspace.store.sqlite.store"),
        ("server/app.py", "from upspace import cli", "upspace.cli"),
        ("server/admin.py", "from upspace.data.community import settle", "upspace.data.community.settle"),
        ("wire/record.py", "from upspace.records import profile_of", "upspace.records.profile_of"),
        ("records.py", "from upspace.store.interface import Store", "upspace.store.interface.Store"),
        ("records.py", "from upspace.wire.record import read_record\nfrom upspace.model import Profile", None),
        ("client/aio.py", "from upspace.model import Account", "upspace.model.Account"),
        ("data/dump.py", "from upspace.store import migrate_store", "upspace.store.migrate_store"),
        ("data/dump.py", "from upspace.store.sqlite import moving", "upspace.store.sqlite.moving"),
        ("data/dump.py", "from upspace.server.app import App", "upspace.server.app.App"),
        ("web/pages.py", "from upspace.store.interface import Store", "upspace.store.interface.Store"),
        ("wire/forms.py", "import importlib\nimportlib.import_module('upspace.model')", "upspace.model"),
        ("wire/forms.py", "__import__('upspace.model')", "upspace.model"),
        ("wire/forms.py", "from importlib import import_module as m\nx = [m]", None),
        ("wire/forms.py", "import importlib\nimportlib.import_module(name)", MADE_AT_RUN_TIME),
        ("wire/forms.py", "from upspacex import thing\nimport os, json\nfrom . import codes, errors", None),
        (
            "relations/paging.py",
            "from upspace.wire import codes, errors, profiles\nfrom upspace.model import Window",
            None,
        ),
        ("server/worker.py", "from upspace.store import open_store", None),
        ("server/own.py", "from upspace import __version__", None),
        ("cli.py", "from upspace.store.sqlite.store import SqliteStore", None),
        ("cli/__init__.py", "from importlib import import_module\nimport_module(name)", None),
        ("__main__.py", "from upspace.cli import main", None),
        ("__main__.py", "from upspace.server import run", "upspace.server.run"),
        ("testing/plugin.py", "import upspace.server.app", None),
    ],
)
def test_the_checker_tells_a_forbidden_import_from_an_allowed_one(file: str, source: str, name: str | None) -> None:
    assert violations(file, source) == ([] if name is None else [f"{file} imports {name}"])


@pytest.mark.parametrize("file", ["attic.py", "attic/box.py", "wired/forms.py"])
def test_a_file_outside_of_the_known_rooms_is_a_violation(file: str) -> None:
    assert violations(file, "") == [f"{file} is in no room of the house"]
