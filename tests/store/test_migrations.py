"""How migrations and queries are read out of an engine's package."""

from pathlib import Path

import pytest

from upspace.store.interface import SchemaTooNewError, SchemaTooOldError
from upspace.store.migrate import Migration, check_version, read_migrations
from upspace.store.queries import read_queries


@pytest.fixture
def package(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of this test alone, with an empty folder of migrations."""
    folder = tmp_path / f"engine_{abs(hash(request.node.nodeid))}"
    (folder / "migrations").mkdir(parents=True)
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def write(package: Path, name: str, text: str = "-- oldest compatible: 1\ncreate table t (a);\n") -> None:
    (package / "migrations" / name).write_text(text)


def test_migrations_are_read_in_order_with_what_they_are_compatible_with(package: Path) -> None:
    write(package, "0002_more.sql", "-- oldest compatible: 2\nb")
    write(package, "0001_first_thing.sql", "-- oldest compatible: 1\na")
    write(package, "0003_more.sql", "-- oldest compatible: 2\nc")
    write(package, "README.md", "no migration")
    found = read_migrations(package.name)
    assert [(each.version, each.name, each.oldest_compatible) for each in found] == [
        (1, "first_thing", 1),
        (2, "more", 2),
        (3, "more", 2),
    ]
    assert [each.sql[-1] for each in found] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "names", [["0002_a.sql"], ["0001_a.sql", "0003_b.sql"], ["0001_a.sql", "0001_b.sql"], ["0000_a.sql"]]
)
def test_a_gap_or_a_number_given_twice_is_refused(package: Path, names: list[str]) -> None:
    for name in names:
        write(package, name)
    with pytest.raises(ValueError, match="numbered 1, 2, 3"):
        read_migrations(package.name)


@pytest.mark.parametrize(
    "text", ["create table t (a);", "\n-- oldest compatible: 1\n", "-- oldest compatible: one\n", ""]
)
def test_a_migration_must_say_first_what_it_is_compatible_with(package: Path, text: str) -> None:
    write(package, "0001_a.sql", text)
    with pytest.raises(ValueError, match=r"0001_a\.sql: the first line must say"):
        read_migrations(package.name)


KNOWN = [Migration(1, "a", 1, ""), Migration(2, "b", 1, ""), Migration(3, "c", 2, "")]


@pytest.mark.parametrize(
    ("version", "oldest_compatible", "expected"),
    [
        (3, 2, None),
        (4, 2, None),
        (9, 3, None),
        (4, 4, SchemaTooNewError),
        (9, 5, SchemaTooNewError),
        (2, 1, SchemaTooOldError),
        (0, 0, SchemaTooOldError),
    ],
)
def test_a_store_fits_when_neither_side_is_too_old_for_the_other(
    version: int, oldest_compatible: int, expected: type[Exception] | None
) -> None:
    if expected is None:
        check_version("u", version, oldest_compatible, KNOWN)
    else:
        with pytest.raises(expected, match=f"u has schema version {version}"):
            check_version("u", version, oldest_compatible, KNOWN)


def test_queries_are_read_under_their_names_in_their_order(package: Path) -> None:
    (package / "queries.sql").write_text("-- name: b\nselect 1\nfrom t;\n\n-- name: a\nselect '-- name: c';\n")
    assert list(read_queries(package.name).items()) == [("b", "select 1\nfrom t"), ("a", "select '-- name: c'")]


def test_two_queries_of_one_name_are_refused(package: Path) -> None:
    (package / "queries.sql").write_text("-- name: a\nselect 1;\n-- name: a\nselect 2;\n")
    with pytest.raises(ValueError, match="two queries are named a"):
        read_queries(package.name)
