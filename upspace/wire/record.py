"""An account as JSON for people and tools: what `upspace account` reads and prints.

It holds every value that the replies of sections 5 and 6 are made of, so one record of an account
satisfies acc/info, card, upstat and relation/stat at once. Counters are taken in mode `reported` only;
in mode `derived` they follow from the stored relations.
"""

from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from upspace.wire.accounts import (
    FansMedal,
    Flag,
    LiveRoom,
    Nameplate,
    Official,
    Pendant,
    Profession,
    School,
    Series,
    SysNotice,
    UserHonourInfo,
    Vip,
)
from upspace.wire.codes import LEVEL_MAX, MID_MAX
from upspace.wire.errors import BadRequestError

Mid = Annotated[int, Meta(ge=1, le=MID_MAX)]
Count = Annotated[int, Meta(ge=0, le=MID_MAX)]

# What is read here is read again with every reply that shows it, at a place where the stack may be fuller.
_LEVELS_MAX = 100
_TOO_DEEP = f"JSON nested more than {_LEVELS_MAX} levels deep"


class State(StrEnum):
    """Contract 5.2. `upspace account delete` makes an account deleted; a record never does."""

    NORMAL = "normal"
    SUSPENDED = "suspended"


class Mode(StrEnum):
    """Contract 5.1."""

    DERIVED = "derived"
    REPORTED = "reported"


class CountersRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """Counters as they were imported."""

    following: Count = 0
    whisper: Count = 0
    black: Count = 0
    follower: Count = 0


class StatisticsRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """Totals of an uploader."""

    archive_view: Count = 0
    article_view: Count = 0
    likes: Count = 0
    archive_count: Count = 0
    article_count: Count = 0


class Decorations(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What is only shown, never searched or counted. Every default is the contract's."""

    fans_badge: bool = False
    fans_medal: FansMedal = FansMedal()
    pendant: Pendant = Pendant()
    nameplate: Nameplate = Nameplate()
    user_honour_info: UserHonourInfo = UserHonourInfo()
    top_photo: str = ""
    top_photo_small: str = ""
    sys_notice: SysNotice = SysNotice()
    live_room: LiveRoom = LiveRoom()
    school: School | None = None
    profession: Profession = Profession()
    tags: list[str] | None = None
    series: Series = Series()
    name_render: dict[str, Any] | None = None


class AccountRecord(Decorations, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One account with everything that is stored of it but its relations and tokens."""

    mid: Mid
    name: Annotated[str, Meta(min_length=1)]
    sex: Literal["男", "女", "保密"] = "保密"
    face: str = ""
    face_nft: Flag = 0
    sign: str = ""
    rank: Literal[5000, 10000, 20000, 25000, 30000, 32000] = 10000
    level: Annotated[int, Meta(ge=0, le=LEVEL_MAX)] = 0
    coins: Annotated[float, Meta(ge=0)] = 0
    birthday: Annotated[str, Meta(pattern=r"^((0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?(?![\s\S])")] = ""
    is_senior_member: Flag = 0
    nft_icon: str = ""
    official: Official = Official()
    vip: Vip = Vip()
    state: State = State.NORMAL
    hides_followings: bool = False
    hides_followers: bool = False
    hides_birthday: bool = False
    counter_mode: Mode = Mode.DERIVED
    counters: CountersRecord = CountersRecord()
    statistics: StatisticsRecord = StatisticsRecord()


def decode_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises BadRequestError that says why it is none, or none that can be kept."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadRequestError(f"not JSON: {error}") from None
    except RecursionError:
        raise BadRequestError(_TOO_DEEP) from None
    if _is_deeper(value, _LEVELS_MAX):
        raise BadRequestError(_TOO_DEEP)
    return value


def read_record(value: Any) -> AccountRecord:
    """A record from decoded JSON. Raises BadRequestError that says which field is wrong and why."""
    try:
        record = msgspec.convert(value, AccountRecord)
    except msgspec.ValidationError as error:
        raise BadRequestError(str(error)) from None
    _check_known(value, record, "$")
    _check_texts(value, "$")
    return record


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether arrays and objects are nested in more than `levels` levels."""
    if not isinstance(value, (dict, list)):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in parts)


def _check_known(given: Any, read: Any, where: str) -> None:
    """Refuse members that the types do not have: the objects of the wire ignore them, a person mistyped them."""
    if not (isinstance(given, dict) and isinstance(read, Struct)):
        return
    names = _members(type(read))
    for member, value in given.items():
        if member not in names:
            raise BadRequestError(f"Object contains unknown field `{member}` - at `{where}`")
        _check_known(value, getattr(read, names[member]), f"{where}.{member}")


@cache
def _members(struct: type[Struct]) -> dict[str, str]:
    """The members of an object in JSON, with the names of the fields. Finding them out takes longer than reading it."""
    return {field.encode_name: field.name for field in msgspec.structs.fields(struct)}


def _check_texts(value: Any, where: str) -> None:
    """Refuse the character U+0000 in any text: not every store can keep it."""
    if isinstance(value, str) and "\0" in value:
        raise BadRequestError(f"Expected `str` without U+0000 - at `{where}`")
    if isinstance(value, dict):
        if any("\0" in name for name in value):
            raise BadRequestError(f"Expected `str` without U+0000 - at `key` in `{where}`")
        for name, part in value.items():
            _check_texts(part, f"{where}.{name}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _check_texts(part, f"{where}[{index}]")
