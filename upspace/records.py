"""Between the stored form of an account and its record for people and tools: pure functions.

A room of its own, as it joins two that do not know each other: the nouns of the store and the types of the wire.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from upspace.model import Account, AccountState, CounterMode, Json, Profile, Standing, Upstat
from upspace.wire.accounts import Official, Vip
from upspace.wire.errors import BadRequestError
from upspace.wire.record import (
    AccountRecord,
    CountersRecord,
    Decorations,
    Mode,
    State,
    StatisticsRecord,
    read_record,
)

S = TypeVar("S", bound=Struct)

_NO_OFFICIAL = Official()
_NO_VIP = Vip()
_NO_DECORATIONS = Decorations()

_STATES = {State.NORMAL: AccountState.NORMAL, State.SUSPENDED: AccountState.SUSPENDED}
_MODES = {Mode.DERIVED: CounterMode.DERIVED, Mode.REPORTED: CounterMode.REPORTED}
_STATES_BACK = {state: name for name, state in _STATES.items()}
_MODES_BACK = {mode: name for name, mode in _MODES.items()}

_FIRST = ("mid", "name", "state")
# A reader of one account wants these even where they are the default.
_ALWAYS_SHOWN = frozenset((*_FIRST, "counter_mode", "counters"))
# The struct itself has the decorations in front, as it inherits them.
_FIELDS_SHOWN = sorted(
    msgspec.structs.fields(AccountRecord),
    key=lambda field: (field.name not in _FIRST, field.name in Decorations.__struct_fields__),
)


def profile_of(record: AccountRecord) -> Profile:
    """What a store keeps of the account. It is the store that ignores the counters in mode derived."""
    account = Account(
        mid=record.mid,
        name=record.name,
        sex=record.sex,
        face=record.face,
        face_nft=record.face_nft,
        sign=record.sign,
        rank=record.rank,
        level=record.level,
        coins=record.coins,
        birthday=record.birthday,
        is_senior_member=record.is_senior_member,
        nft_icon=record.nft_icon,
        official=None if record.official == _NO_OFFICIAL else _text(record.official),
        vip=None if record.vip == _NO_VIP else _text(record.vip),
        decorations=decorations_text(record),
    )
    counters, totals = record.counters, record.statistics
    standing = Standing(
        mid=record.mid,
        state=_STATES[record.state],
        hides_followings=record.hides_followings,
        hides_followers=record.hides_followers,
        hides_birthday=record.hides_birthday,
        counter_mode=_MODES[record.counter_mode],
        following=counters.following,
        whisper=counters.whisper,
        black=counters.black,
        follower=counters.follower,
    )
    upstat = Upstat(totals.archive_view, totals.article_view, totals.likes, totals.archive_count, totals.article_count)
    return Profile(account, standing, upstat)


def record_of(profile: Profile) -> AccountRecord:
    """The record of a stored account that is not deleted, with its counters in either mode."""
    account, standing, upstat = profile.account, profile.standing, profile.upstat
    values = msgspec.structs.asdict(account)
    values |= msgspec.structs.asdict(_parsed(values.pop("decorations"), _NO_DECORATIONS))
    values["official"] = _parsed(account.official, _NO_OFFICIAL)
    values["vip"] = _parsed(account.vip, _NO_VIP)
    return AccountRecord(
        **values,
        state=_STATES_BACK[standing.state],
        hides_followings=standing.hides_followings,
        hides_followers=standing.hides_followers,
        hides_birthday=standing.hides_birthday,
        counter_mode=_MODES_BACK[standing.counter_mode],
        counters=CountersRecord(standing.following, standing.whisper, standing.black, standing.follower),
        statistics=StatisticsRecord(**msgspec.structs.asdict(upstat)),
    )


def record_json(record: AccountRecord) -> dict[str, Any]:
    """A record as plain values for people: mid, name and state first, decorations last.

    What is default is left out, but for the state, the mode and the counters. It can be read as a record again.
    """
    values = {
        field.name: getattr(record, field.name)
        for field in _FIELDS_SHOWN
        if field.name in _ALWAYS_SHOWN or getattr(record, field.name) != field.default
    }
    plain: dict[str, Any] = msgspec.to_builtins(values)
    return plain


def changed_profile(known: Profile, changes: Any) -> Profile:
    """The account after `changes`, decoded JSON: objects are merged, null brings a field back to its default.

    Raises BadRequestError that says what is wrong with the changes.
    """
    if not isinstance(changes, dict):
        raise BadRequestError("the changes must be a JSON object")
    mid = known.account.mid
    if changes.get("mid", mid) != mid:
        raise BadRequestError(f"mid: that of account {mid} cannot be changed")
    return profile_of(read_record(_merged(msgspec.to_builtins(record_of(known)), changes)))


def decorations_text(decorations: Decorations) -> Json | None:
    """The JSON of what is not default among the decorations (of a record, too); None for nothing."""
    shown = {
        name: value
        for name in Decorations.__struct_fields__
        if (value := getattr(decorations, name)) != getattr(_NO_DECORATIONS, name)
    }
    return _text(shown) if shown else None


def _merged(old: Any, patch: Any) -> Any:
    """RFC 7396: objects are merged, null removes a member, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _text(value: Any) -> Json:
    return msgspec.json.encode(value).decode()


def _parsed(text: Json | None, default: S) -> S:
    return default if text is None else msgspec.json.decode(text, type=type(default))
