"""What columns are called in files, and what they are called here."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from upspace.data.columns import Column, named
from upspace.data.formats import FormatError
from upspace.data.importing.staging import RELATIONS, USERS, Kind


class Names:
    """Other names of columns: `fans=follower` reads a column called fans as follower, `users.id=mid` one of users.

    `tags=` leaves a column out.
    """

    def __init__(self, given: Iterable[str] = ()) -> None:
        """Raises FormatError for what is not of that form, or names a column that there is not."""
        self._names: dict[str, dict[str, str]] = {USERS.name: {}, RELATIONS.name: {}}
        for text in given:
            theirs, equals, ours = text.partition("=")
            kinds = [kind for kind in (USERS, RELATIONS) if theirs.startswith(f"{kind.name}.")] or [USERS, RELATIONS]
            if len(kinds) == 1:
                theirs = theirs.removeprefix(f"{kinds[0].name}.")
            if not (equals and theirs):
                raise FormatError(f"--map {text}: it should be like fans=follower, or users.fans=follower")
            kinds = [kind for kind in kinds if ours in named(kind.columns) or not ours]
            if not kinds:
                raise FormatError(f"--map {text}: there is no column {ours} to map it to")
            for kind in kinds:
                self._names[kind.name][theirs] = ours

    def ours(self, kind: Kind, theirs: str) -> str:
        """What we call a column of a file; "" for one that is left out."""
        return self._names[kind.name].get(theirs, theirs)


class Columns(NamedTuple):
    """The columns of one file: for each what it is here, None for one that is not used."""

    all: tuple[Column | None, ...]
    unused: list[str]

    @property
    def used(self) -> list[tuple[int, Column]]:
        """The columns that are used, with their places."""
        return [(place, column) for place, column in enumerate(self.all) if column is not None]


def columns_of(kind: Kind, names: Names, theirs: Sequence[str], where: str) -> Columns:
    """What the columns of a file are. Raises FormatError if one is there twice, or one that has to be there is not."""
    known = named(kind.columns)
    found = [known.get(names.ours(kind, name.strip())) for name in theirs]
    used = [column.name for column in found if column is not None]
    for name in used:
        if used.count(name) > 1:
            raise FormatError(f"{where}: more than one column is {name}")
    for column in kind.columns:
        if column.needed and column.name not in used:
            raise FormatError(
                f"{where}: there is no column {column.name} for {kind.name}, only {', '.join(theirs)}:"
                f" say with --map THEIRS={column.name} which one it is"
            )
    unused = [
        name for name, column in zip(theirs, found, strict=True) if column is None and names.ours(kind, name.strip())
    ]
    return Columns(tuple(found), unused)
