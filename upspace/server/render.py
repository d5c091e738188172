"""From stored accounts to the encoded parts that replies are joined from.

The JSON texts of `vip`, `official` and `decorations` take few distinct values over many accounts: memberships
end on whole days, most accounts have no decorations. So what is made of each text is remembered. The text
alone decides the result: nothing here can become stale.
"""

from functools import lru_cache
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from upspace.model import Account, AccountState, ListedAccount, SeenAccount
from upspace.server.settings import Settings
from upspace.wire.accounts import (
    CardVip,
    FansMedal,
    Official,
    OfficialVerify,
    Pendant,
    School,
    UserHonourInfo,
    Vip,
    in_era,
)
from upspace.wire.codes import SPACESTA_NORMAL, SPACESTA_SUSPENDED
from upspace.wire.groups import GroupItem, Live
from upspace.wire.record import Decorations
from upspace.wire.relations import EMPTY_CONTRACT, NO_CONTRACT, RelationItem, RelationVip
from upspace.wire.splice import Basics, ItemMarks, Marks, Rendered, RenderedAccount, RenderedItem, item_end

DELETED_NAME = "账号已注销"

_decode_vip = msgspec.json.Decoder(Vip).decode
_decode_official = msgspec.json.Decoder(Official).decode
_decode_decorations = msgspec.json.Decoder(Decorations).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode
_TEXTS_REMEMBERED = 8192

# Few accounts have more of them, but those that do have their own: kept, they would take a quarter of the memory.
_DECORATIONS_KEPT = 64


def vip_status(text: str | None) -> int:
    """Whether the membership of a stored text is active; None is no membership."""
    return _membership(text).status


def decorate(text: bytes | None, recent: bool) -> dict[str, bytes]:
    """The decorations of a stored text, each encoded; None gives the defaults of all of them."""
    if text is None:
        return _DEFAULTS[recent]
    return {name: _part(name, bytes(raw), recent) for name, raw in _decode_members(text).items()}


def _part(name: str, text: bytes, recent: bool) -> bytes:
    """One decoration as it was stored, but for the objects that differ between the eras."""
    return _era_part(name, text, recent) if name in _ERA_PARTS else text


@lru_cache(_TEXTS_REMEMBERED)
def _era_part(name: str, text: bytes, recent: bool) -> bytes:
    return _encode(in_era(msgspec.json.decode(text, type=_ERA_PARTS[name]), recent))


def _defaults(recent: bool) -> dict[str, bytes]:
    encoded = {}
    for name, value in msgspec.structs.asdict(Decorations()).items():
        encoded[name] = _encode(in_era(value, recent) if isinstance(value, Struct) else value)
    if recent:
        encoded["school"] = _encode(School())
    return encoded


_ERA_PARTS: dict[str, type[Struct]] = {
    "fans_medal": FansMedal,
    "pendant": Pendant,
    "user_honour_info": UserHonourInfo,
}
"""The decorations whose objects have fields of profile `recent`, by their types."""

_DEFAULTS = {False: _defaults(recent=False), True: _defaults(recent=True)}


def _membership(text: str | None) -> Vip:
    return Vip() if text is None else _decode_vip(text)


def _mark(text: str | None) -> Official:
    return Official() if text is None else _decode_official(text)


def _verify(official: Official) -> OfficialVerify:
    return OfficialVerify(type=official.type, desc=official.title)


@lru_cache(_TEXTS_REMEMBERED)
def _official(text: str | None) -> tuple[bytes, bytes]:
    """The official mark of a stored text, whole and in short."""
    official = _mark(text)
    return _encode(official), _encode(_verify(official))


@lru_cache(_TEXTS_REMEMBERED)
def _vip(text: str | None, recent: bool) -> tuple[bytes, bytes, bytes]:
    """The membership of a stored text, as acc/info, card and lists show it."""
    membership = _membership(text)
    plain = in_era(membership, recent=False)
    values = {name: getattr(plain, name) for name in Vip.__struct_fields__}
    card_vip = CardVip(**values, vipType=plain.type, vipStatus=plain.status)
    return _encode(in_era(membership, recent)), _encode(card_vip), _encode(_relation_vip(plain))


# From here on parts are remembered by the encoded parts that they hold: those are there anyway, the texts are not.


@lru_cache(_TEXTS_REMEMBERED)
def _item_marks(verify: bytes, vip: bytes, nft_icon: str, face_nft: int, name_render: bytes | None) -> ItemMarks:
    """What a list item shows beside the name; `name_render` is None where the recent fields are not sent."""
    official_verify, relation_vip, rendered = (cast(Any, Raw(part or b"{}")) for part in (verify, vip, name_render))
    item = RelationItem(
        mid=0,
        uname="",
        face="",
        sign="",
        face_nft=face_nft,
        official_verify=official_verify,
        vip=relation_vip,
        nft_icon=nft_icon,
    )
    if name_render is not None:
        item = msgspec.structs.replace(item, name_render=rendered, rec_reason="", track_id="", follow_time="")
    return ItemMarks(item_end(item))


_marks = lru_cache(_TEXTS_REMEMBERED)(Marks)


def _relation_vip(membership: Vip) -> RelationVip:
    return RelationVip(
        vipType=membership.type,
        vipDueDate=membership.due_date,
        dueRemark="",
        accessStatus=0,
        vipStatus=membership.status,
        vipStatusWarn="",
        themeType=membership.theme_type,
        label=membership.label,
        avatar_subscript=membership.avatar_subscript,
        nickname_color=membership.nickname_color,
        avatar_subscript_url=membership.avatar_subscript_url,
    )


@lru_cache(_TEXTS_REMEMBERED)
def _basics(sex: str, rank: int, level: int, face_nft: int, is_senior_member: int, state: AccountState) -> Basics:
    suspended = state is AccountState.SUSPENDED
    return Basics(
        sex=_encode(sex),
        rank=b"%d" % rank,
        level=b"%d" % level,
        face_nft=b"%d" % face_nft,
        is_senior_member=b"%d" % is_senior_member,
        silence=b"%d" % suspended,
        spacesta=b"%d" % (SPACESTA_SUSPENDED if suspended else SPACESTA_NORMAL),
    )


@lru_cache(_TEXTS_REMEMBERED)
def _birthday(text: str) -> bytes:
    return _encode(text)


def _encode_exactly(text: str) -> bytes:
    """A text as JSON, in as much memory as it needs: an encoder hands out its buffer, which is larger."""
    return b"".join((_encode(text), b""))  # joining two makes a copy


class Renderer:
    """Renders accounts in the era of the settings, and knows the default avatar."""

    def __init__(self, settings: Settings) -> None:
        parts = settings.default_face.replace("{public_url}", settings.reached_at()).split("{mid}")
        self._face_parts = parts
        # Only a URL with one mid in it can be put together in the course of joining a list.
        self.face_url = (parts[0], parts[1]) if len(parts) == 2 else None  # what one mid leaves
        self._recent = settings.behaviour.acc_info_recent_fields
        self._recent_items = settings.behaviour.list_recent_fields
        self._contract_info_empty = settings.behaviour.contract_info_empty
        self.deleted = self._deleted()

    def face(self, account: Account) -> str:
        """The avatar URL: the account's own, verbatim, else the default one."""
        return account.face or self._default_face(account.mid)

    def face_json(self, mid: int, account: Rendered) -> bytes:
        """The avatar URL of a rendered account, encoded."""
        return _encode(self._default_face(mid)) if account.face is None else account.face

    def account(self, seen: SeenAccount) -> RenderedAccount:
        """An account as everyone but itself sees it. Contract: 5.2."""
        account = seen.account
        return self._rendered(account, seen.state, "" if seen.hides_birthday else account.birthday)

    def item(self, account: ListedAccount | None) -> Rendered:
        """An account as lists show it; None stands for a deleted one. Contract: 6.5."""
        if account is None:
            return self.deleted
        _, verify = _official(account.official)
        *_, vip = _vip(account.vip, self._recent)
        name_render = (account.name_render or "{}").encode() if self._recent_items else None
        return RenderedItem(
            _encode_exactly(account.name),
            self._own_face(account.mid, account.face),
            _encode_exactly(account.sign) if account.sign else b'""',
            _item_marks(verify, vip, account.nft_icon, account.face_nft, name_render),
        )

    def completed(self, account: RenderedAccount, decorations: str | None) -> RenderedAccount:
        """An account with the decorations that were left out."""
        text = None if decorations is None else decorations.encode()
        marks = msgspec.structs.replace(account.marks, decorations=text, complete=True)
        return msgspec.structs.replace(account, marks=marks)

    def abridged(self, account: RenderedAccount) -> RenderedAccount:
        """An account without its decorations if they are long, which its marks then say."""
        text = account.marks.decorations
        if text is None or len(text) <= _DECORATIONS_KEPT:
            return account
        marks = account.marks
        short = _marks(marks.item_end, marks.official, marks.official_verify, marks.vip, marks.card_vip, None, False)
        return msgspec.structs.replace(account, marks=short)

    def own_account(self, account: Account, state: AccountState) -> RenderedAccount:
        """An account as it sees itself."""
        return self._rendered(account, state, account.birthday)

    def group_item(self, mid: int, seen: SeenAccount | None) -> GroupItem:
        """An account as a member of a group. Contract: 8.3."""
        account = Account(0, DELETED_NAME) if seen is None else seen.account
        shown = _decode_decorations(account.decorations or "{}")
        item = GroupItem(
            mid=mid,
            contract_info=EMPTY_CONTRACT if self._contract_info_empty else NO_CONTRACT,
            uname=account.name,
            face=self.face(account),
            sign=account.sign,
            face_nft=account.face_nft,
            official_verify=_verify(_mark(account.official)),
            vip=_relation_vip(in_era(_membership(account.vip), recent=False)),
            live=Live(shown.live_room.liveStatus, shown.live_room.url),
            nft_icon=account.nft_icon,
        )
        if not self._recent_items:
            return item
        return msgspec.structs.replace(
            item, name_render=shown.name_render or {}, rec_reason="", track_id="", follow_time=""
        )

    def _rendered(self, account: Account, state: AccountState, birthday: str) -> RenderedAccount:
        text = account.decorations
        decorations = None if text is None else text.encode()
        official, verify = _official(account.official)
        vip, card_vip, relation_vip = _vip(account.vip, self._recent)
        of_item = _item_marks(verify, relation_vip, account.nft_icon, account.face_nft, self._name_render(text))
        return RenderedAccount(
            name=_encode_exactly(account.name),
            face=self._own_face(account.mid, account.face),
            sign=_encode_exactly(account.sign) if account.sign else b'""',
            birthday=_birthday(birthday),
            basics=_basics(account.sex, account.rank, account.level, account.face_nft, account.is_senior_member, state),
            marks=(_marks if decorations is None or len(decorations) <= _DECORATIONS_KEPT else Marks)(
                of_item.item_end, official, verify, vip, card_vip, decorations, True
            ),
        )

    def _own_face(self, mid: int, face: str) -> bytes | None:
        """An avatar, encoded; None where the default one can be put in as a list is joined."""
        if face:
            return _encode_exactly(face)
        return None if self.face_url else _encode(self._default_face(mid))

    def _name_render(self, text: str | None) -> bytes | None:
        """How lists render the name; None where they have no such field."""
        if not self._recent_items:
            return None
        return b"{}" if text is None else bytes(_decode_members(text).get("name_render", b"{}"))

    def _default_face(self, mid: int) -> str:
        return str(mid).join(self._face_parts)

    def _deleted(self) -> RenderedAccount:
        account = Account(0, DELETED_NAME, face=self._default_face(0))
        return self.own_account(account, AccountState.NORMAL)
