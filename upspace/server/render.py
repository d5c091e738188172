"""From stored accounts to the objects of the wire.

The JSON texts of `vip`, `official` and `decorations` take few distinct values over many accounts: memberships
end on whole days, most accounts have no decorations. So what is made of each text is remembered. The text
alone decides the result: nothing here can become stale.
"""

from functools import lru_cache
from typing import TypeVar, cast

import msgspec
from msgspec import Raw, Struct

from upspace.model import Account
from upspace.server.settings import Settings
from upspace.wire.accounts import CardVip, Official, OfficialVerify, Vip, in_era
from upspace.wire.record import Decorations
from upspace.wire.relations import ItemAccount, RelationItem, RelationVip, encode_marks, encode_names

S = TypeVar("S", bound=Struct)

DELETED_NAME = "账号已注销"

_decode_vip = msgspec.json.Decoder(Vip).decode
_decode_official = msgspec.json.Decoder(Official).decode
_decode_decorations = msgspec.json.Decoder(Decorations).decode
_encode = msgspec.json.Encoder().encode
_TEXTS_REMEMBERED = 4096


def _encoded(value: S) -> S:
    """The value's JSON, typed as the value it stands for: replies are encoded with it as it is."""
    return cast(S, Raw(_encode(value)))


def _membership(text: str | None) -> Vip:
    return Vip() if text is None else _decode_vip(text)


def _mark(text: str | None) -> Official:
    return Official() if text is None else _decode_official(text)


@lru_cache(_TEXTS_REMEMBERED)
def vip_status(text: str | None) -> int:
    """Whether the membership of a stored text is active; None is no membership."""
    return _membership(text).status


@lru_cache(_TEXTS_REMEMBERED)
def vip(text: str | None, recent: bool) -> Vip:
    """The membership of a stored text, account form, encoded."""
    return _encoded(in_era(_membership(text), recent))


@lru_cache(_TEXTS_REMEMBERED)
def card_vip(text: str | None) -> CardVip:
    """The membership of a stored text as card shows it, encoded."""
    of = in_era(_membership(text), recent=False)
    values = {name: getattr(of, name) for name in Vip.__struct_fields__}
    return _encoded(CardVip(**values, vipType=of.type, vipStatus=of.status))


@lru_cache(_TEXTS_REMEMBERED)
def official(text: str | None) -> Official:
    """The official mark of a stored text, encoded; None is no mark."""
    return _encoded(_mark(text))


@lru_cache(_TEXTS_REMEMBERED)
def official_verify(text: str | None) -> OfficialVerify:
    """The official mark in short, encoded."""
    mark = _mark(text)
    return _encoded(OfficialVerify(type=mark.type, desc=mark.title))


@lru_cache(_TEXTS_REMEMBERED)
def decorations(text: str | None, recent: bool) -> Decorations:
    """The decorations of a stored text, the objects among them encoded; None is all defaults."""
    if text is None:
        return _PLAIN[recent]
    given, plain = _decode_decorations(text), _PLAIN[recent]
    changed = {}
    for name, default in _PARTS:
        part = getattr(given, name)
        changed[name] = getattr(plain, name) if part == default else _encoded(in_era(part, recent))
    return msgspec.structs.replace(given, **changed)


def _plain(recent: bool) -> Decorations:
    return msgspec.structs.replace(
        Decorations(), **{name: _encoded(in_era(default, recent)) for name, default in _PARTS}
    )


# An account has few decorations of its own. The others stand ready: name and default of every object, and
# all of them encoded, by whether the fields of profile `recent` are sent.
_PARTS = [
    (field.name, field.default) for field in msgspec.structs.fields(Decorations) if isinstance(field.default, Struct)
]
_PLAIN = {False: _plain(recent=False), True: _plain(recent=True)}


def _relation_vip(text: str | None) -> RelationVip:
    of = in_era(_membership(text), recent=False)
    return RelationVip(
        vipType=of.type,
        vipDueDate=of.due_date,
        dueRemark="",
        accessStatus=0,
        vipStatus=of.status,
        vipStatusWarn="",
        themeType=of.theme_type,
        label=of.label,
        avatar_subscript=of.avatar_subscript,
        nickname_color=of.nickname_color,
        avatar_subscript_url=of.avatar_subscript_url,
    )


@lru_cache(_TEXTS_REMEMBERED)
def _item_marks(official_text: str | None, vip_text: str | None, nft_icon: str, decorated: str | None) -> bytes:
    """The part of a list item that is not the account's own; `decorated` only where the recent fields are sent."""
    item = RelationItem(
        mid=0,
        uname="",
        face="",
        sign="",
        face_nft=0,
        official_verify=official_verify(official_text),
        vip=_relation_vip(vip_text),
        nft_icon=nft_icon,
    )
    if decorated is not None:
        name_render = decorations(decorated, recent=True).name_render or {}
        item = msgspec.structs.replace(item, name_render=name_render, rec_reason="", track_id="", follow_time="")
    return encode_marks(item)


class Renderer:
    """What depends on the settings besides the account: the default avatar and the fields of lists."""

    def __init__(self, settings: Settings) -> None:
        # Split once: the URL of every account is joined from it.
        self._default_face = settings.default_face.replace("{public_url}", settings.reached_at()).split("{mid}")
        self._recent_items = settings.behaviour.list_recent_fields

    def face(self, account: Account) -> str:
        """The avatar URL: the account's own, verbatim, else the default one."""
        return account.face or self._face_of(account.mid)

    def _face_of(self, mid: int) -> str:
        return str(mid).join(self._default_face)

    def item_account(self, account: Account | None) -> ItemAccount:
        """The account's part of a list item; None stands for a deleted account. Contract: 5.2, 5.3."""
        if account is None:
            names = encode_names(DELETED_NAME, self._face_of(0), "", 0)
            return ItemAccount(names, _item_marks(None, None, "", "{}" if self._recent_items else None))
        decorated = (account.decorations or "{}") if self._recent_items else None
        return ItemAccount(
            encode_names(account.name, self.face(account), account.sign, account.face_nft),
            _item_marks(account.official, account.vip, account.nft_icon, decorated),
        )
