"""What a store holds, as tables that every engine has: what is moved from one store to another.

What an engine keeps for itself is not here: the schema version, the numbered changes of accounts, and what a replica
has to have seen.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import Any, NamedTuple, TypeAlias

Row: TypeAlias = tuple[Any, ...]
"""The values of one row, in the order of the columns."""


class Kind(Enum):
    """What a column holds."""

    FLAG = auto()
    """True or False."""
    NUMBER = auto()
    """An integer for which 32 bits are enough, whatever room an engine gives it."""
    LONG = auto()
    """An integer of 64 bits."""
    REAL = auto()
    TEXT = auto()
    BYTES = auto()


class Column(NamedTuple):
    """A column; only an optional one may hold None."""

    name: str
    kind: Kind
    optional: bool = False


class Table(NamedTuple):
    """A table; no two rows have the same values in the columns of its key."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def place(self, row: Row) -> str:
        """How a row is called where people read of it: the table and its key."""
        values = (row[self.names.index(name)] for name in self.key)
        return f"{self.name} {', '.join(value.hex() if isinstance(value, bytes) else str(value) for value in values)}"


def converted(
    table: Table, rows: Iterable[Iterable[Any]], conversions: Mapping[Kind, Callable[[Any], Any]]
) -> list[Row]:
    """The rows with each value of these kinds converted."""
    places = {
        place: conversions[column.kind] for place, column in enumerate(table.columns) if column.kind in conversions
    }
    return converted_at(rows, places)


def converted_at(rows: Iterable[Iterable[Any]], conversions: Mapping[int, Callable[[Any], Any]]) -> list[Row]:
    """The rows with each value at these places converted. Column by column, several times as fast as by row."""
    columns = list(zip(*rows, strict=True))
    if not columns:
        return []
    for place, convert in conversions.items():
        columns[place] = tuple(map(convert, columns[place]))
    return list(zip(*columns, strict=True))


def plain_zero(value: float) -> float:
    """The number, but 0.0 for -0.0, which not every engine tells from it."""
    return value + 0.0


def _columns(kind: Kind, *names: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name in names)


_MID = Column("mid", Kind.LONG)

TABLES = (
    Table(
        "standing",
        (
            _MID,
            Column("state", Kind.NUMBER),
            *_columns(Kind.FLAG, "hides_followings", "hides_followers", "hides_birthday"),
            Column("counter_mode", Kind.NUMBER),
            *_columns(Kind.LONG, "following", "whisper", "black", "follower"),
        ),
        key=("mid",),
    ),
    Table(
        "account",
        (
            _MID,
            *_columns(Kind.TEXT, "name", "sex", "face"),
            Column("face_nft", Kind.NUMBER),
            Column("sign", Kind.TEXT),
            *_columns(Kind.NUMBER, "rank", "level"),
            Column("coins", Kind.REAL),
            Column("birthday", Kind.TEXT),
            Column("is_senior_member", Kind.NUMBER),
            Column("nft_icon", Kind.TEXT),
            *(Column(name, Kind.TEXT, optional=True) for name in ("official", "vip", "decorations")),
        ),
        key=("mid",),
    ),
    Table(
        "upstat",
        (_MID, *_columns(Kind.LONG, "archive_view", "article_view", "likes", "archive_count", "article_count")),
        key=("mid",),
    ),
    Table(
        "relation",
        (
            *_columns(Kind.LONG, "owner", "other"),
            Column("attribute", Kind.NUMBER),
            Column("mutual", Kind.FLAG),
            Column("mtime", Kind.LONG),
            Column("re_src", Kind.NUMBER),
        ),
        key=("owner", "other"),
    ),
    Table("follower", _columns(Kind.LONG, "owner", "mtime", "other"), key=("owner", "mtime", "other")),
    Table("grouped", _columns(Kind.LONG, "owner", "other", "group_id"), key=("owner", "other", "group_id")),
    Table("own_group", (*_columns(Kind.LONG, "owner", "id"), Column("name", Kind.TEXT)), key=("owner", "id")),
    Table(
        "token",
        (
            Column("digest", Kind.BYTES),
            *_columns(Kind.LONG, "mid", "issued"),
            *(Column(name, Kind.LONG, optional=True) for name in ("expires", "revoked")),
            Column("note", Kind.TEXT),
        ),
        key=("digest",),
    ),
    Table("mark", _columns(Kind.TEXT, "name", "value"), key=("name",)),
)
"""In the order in which they are moved."""

BY_NAME = {table.name: table for table in TABLES}
