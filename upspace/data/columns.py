"""The columns that files of users and files of relations have: their names, what may stand in them, what they mean.

Bounds and choices are read off the types of the wire's account record, so that a file is held to the same rules as
`upspace account add`.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

import msgspec.inspect as shapes

from upspace.model import AccountState, CounterMode
from upspace.wire.codes import (
    ATTRIBUTE_BLACK,
    ATTRIBUTE_FOLLOWING,
    ATTRIBUTE_MUTUAL,
    ATTRIBUTE_WHISPER,
    MID_MAX,
    RE_SRC_MAX,
)
from upspace.wire.record import AccountRecord, CountersRecord, Decorations, StatisticsRecord


class Form(Enum):
    """What a cell holds."""

    INTEGER = auto()
    CHOICE = auto()
    REAL = auto()
    TEXT = auto()
    JSON = auto()
    """A JSON text, or in JSON Lines and Parquet the value itself."""


class Column(NamedTuple):
    """A column of a file.

    `bounds` are the least and the most of an integer; `choices` say for each text that may stand in a cell what is
    kept for it; `pattern` is what the whole of a text has to match. `sql_type` is DuckDB's type of what is kept. A file
    has to have the columns that are `needed`, and every row a value there.
    """

    name: str
    meaning: str
    form: Form
    sql_type: str
    bounds: tuple[int, int] = (0, 0)
    choices: Mapping[str, str | int | bool] = {}
    pattern: str = ""
    needed: bool = False


# Python writes them with a capital letter.
_FLAG_CHOICES = {"0": False, "1": True, "false": False, "true": True, "False": False, "True": True}
_STATES = {"normal": AccountState.NORMAL, "suspended": AccountState.SUSPENDED, "deleted": AccountState.DELETED}
_MODES = {"derived": CounterMode.DERIVED, "reported": CounterMode.REPORTED}
# Attribute 6 is not kept as such: that both follow each other follows from both of them following.
_ATTRIBUTES = {
    str(ATTRIBUTE_WHISPER): ATTRIBUTE_WHISPER,
    str(ATTRIBUTE_FOLLOWING): ATTRIBUTE_FOLLOWING,
    str(ATTRIBUTE_MUTUAL): ATTRIBUTE_FOLLOWING,
    str(ATTRIBUTE_BLACK): ATTRIBUTE_BLACK,
}

STATE_TEXTS = {state: text for text, state in _STATES.items()}
MODE_TEXTS = {mode: text for text, mode in _MODES.items()}
"""What stands in a file for a state, and for a mode of counters."""

COUNTERS = frozenset(CountersRecord.__struct_fields__)
STATISTICS = frozenset(StatisticsRecord.__struct_fields__)
DECORATIONS = frozenset(Decorations.__struct_fields__)
"""The columns, and in JSON the members, that an account's record keeps in an object of their own, or beside others."""

_TYPES: dict[str, Any] = {
    field.name: field.type
    for struct in (AccountRecord, CountersRecord, StatisticsRecord)
    for field in shapes.type_info(struct).fields  # type: ignore[attr-defined]  # a struct's shape has fields
}
_INTEGER_MAX = 2**31 - 1


def _column(name: str, meaning: str) -> Column:
    """The column of a field of the record."""
    match _TYPES[name]:
        case shapes.IntType(ge=0, le=1):
            flags = {text: int(value) for text, value in _FLAG_CHOICES.items()}
            return Column(name, meaning, Form.CHOICE, "integer", choices=flags)
        case shapes.IntType(ge=least, le=most):
            return _integer(name, meaning, least or 0, MID_MAX if most is None else most)
        case shapes.BoolType():
            return Column(name, meaning, Form.CHOICE, "boolean", choices=_FLAG_CHOICES)
        case shapes.LiteralType(values=values):
            sql_type = "integer" if isinstance(values[0], int) else "varchar"
            choices: dict[str, Any] = {str(value): value for value in values}
            return Column(name, meaning, Form.CHOICE, sql_type, choices=choices)
        case shapes.FloatType():
            return Column(name, meaning, Form.REAL, "double")
        case shapes.StrType(pattern=pattern):
            return Column(name, meaning, Form.TEXT, "varchar", pattern=_whole(pattern))
        case _:
            return _json(name, meaning)


def _whole(pattern: str | None) -> str:
    """A pattern of the record without what says that it is about the whole text: not every engine has that."""
    return "" if pattern is None else pattern.removeprefix("^").removesuffix(r"(?![\s\S])")


def _integer(name: str, meaning: str, least: int, most: int) -> Column:
    sql_type = "integer" if most <= _INTEGER_MAX else "bigint"
    return Column(name, meaning, Form.INTEGER, sql_type, bounds=(least, most))


def _json(name: str, meaning: str) -> Column:
    return Column(name, meaning, Form.JSON, "varchar")


USER_COLUMNS = (
    _column("mid", "the account; the one column that has to be there")._replace(needed=True),
    _column("name", "nickname; an account that is new needs one"),
    Column("state", "normal, suspended or deleted", Form.CHOICE, "integer", choices=_STATES),
    _column("sex", "男, 女 or 保密"),
    _column("face", "URL of the avatar"),
    _column("face_nft", "1 for a digital collection as the avatar"),
    _column("sign", "signature"),
    _column("rank", "5000, 10000, 20000, 25000, 30000 or 32000"),
    _column("level", "0 to 6"),
    _column("coins", "balance, which only the account itself sees"),
    _column("birthday", "MM-DD, or empty"),
    _column("is_senior_member", "1 for a senior member"),
    _column("nft_icon", "URL of the mark beside such an avatar"),
    _column("official", "official mark, an object as acc/info has it"),
    _column("vip", "membership, an object as acc/info has it"),
    _column("hides_followings", "whether others do not see whom the account follows"),
    _column("hides_followers", "whether others do not see who follows the account"),
    _column("hides_birthday", "whether others do not see the birthday"),
    Column(
        "counter_mode",
        "derived: counters follow from the relations; reported: they are those of the file. Without it, an account "
        "with counters in the file is reported, any other derived",
        Form.CHOICE,
        "integer",
        choices=_MODES,
    ),
    _column("following", "how many accounts it follows; read in mode reported only, like the next three"),
    _column("whisper", "how many it whispers"),
    _column("black", "how many it has blocked"),
    _column("follower", "how many follow it"),
    _column("archive_view", "plays of its videos"),
    _column("article_view", "reads of its articles"),
    _column("likes", "likes received"),
    _column("archive_count", "videos published"),
    _column("article_count", "articles published"),
    _json("decorations", "what is only shown, an object: pendant, nameplate, live_room and so on"),
    _json("own_groups", 'groups that the account has made, an array of objects: [{"id": 1, "name": "学习"}]'),
)
"""An account. Whatever a file does not have is left as it is, or as the wire's default if the account is new."""

RELATION_COLUMNS = (
    _integer("mid", "the account that follows", 1, MID_MAX)._replace(needed=True),
    _integer("fid", "the account that is followed", 1, MID_MAX)._replace(needed=True),
    Column(
        "attribute",
        "1 whisper, 2 follow (6 is taken as 2), 128 block; without it, what there is already, or a follow",
        Form.CHOICE,
        "integer",
        choices=_ATTRIBUTES,
    ),
    _integer("mtime", "since when, in unix seconds; without it, when the file was last changed", 0, MID_MAX),
    _integer("re_src", "where it was done from, a number of the client", 0, RE_SRC_MAX),
    _json("groups", "ids of the groups that the followed account is in: [-10, 1], where -10 is special"),
)
"""A relation of one account to another: a follow, unless it says otherwise."""


def named(columns: Iterable[Column]) -> dict[str, Column]:
    """The columns by name."""
    return {column.name: column for column in columns}
