"""Replies joined from parts that are encoded already (contract, sections 5.3, 6.1, 6.2, 6.5 and 9).

A service sends the same accounts over and over. What is said of an account is encoded once, as a `RenderedAccount`
or, as far as lists show it, a `RenderedItem`; a reply is the constant text of its struct with those parts put in.
Where that text comes from: the struct itself is encoded with a hole in the place of each part, so a reply has the
fields and the order of its type by construction.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct

from upspace.wire.accounts import RECENT_ACC_INFO, AccInfo, Card, CardAccount, LevelInfo, Space
from upspace.wire.codes import GROUP_SPECIAL
from upspace.wire.relations import EMPTY_CONTRACT, NO_CONTRACT, RelationItem

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode

# JSON never holds this byte: within texts it is escaped.
_HOLE_BYTE = b"\0"
_HOLE: Any = Raw(_HOLE_BYTE)
# Neither this one, which stands for a decoration.
_DECORATION_BYTE = b"\1"
_DECORATION: Any = Raw(_DECORATION_BYTE)
_BOOLS = (b"false", b"true")
# So many texts of decorations, if they are no longer than this, are remembered with what they make of the text of a
# reply: a few of them are most of all.
_DECORATED_REMEMBERED = 1024
_DECORATED_MAX_BYTES = 1024


class Basics(Struct, frozen=True, gc=False):
    """The small values of an account, encoded. They take few combinations, so accounts share them."""

    sex: bytes
    rank: bytes
    level: bytes
    face_nft: bytes
    is_senior_member: bytes
    silence: bytes
    spacesta: bytes


class ItemMarks(Struct, frozen=True, gc=False):
    """What lists show beside the name of an account, encoded: an item from `face_nft` to its closing brace.

    Accounts that have the same share it.
    """

    item_end: bytes


class Marks(ItemMarks, frozen=True, gc=False):
    """What all replies show beside the name of an account, encoded; shared likewise.

    `decorations` is the stored text, None for nothing. `complete` is false where that text is too long to be kept: it
    has to be read again.
    """

    official: bytes
    official_verify: bytes
    vip: bytes
    card_vip: bytes
    decorations: bytes | None = None
    complete: bool = True


class RenderedItem(Struct, frozen=True, gc=False):
    """What list items say of an account, encoded. `face` is None where the default avatar is shown."""

    name: bytes
    face: bytes | None
    sign: bytes
    marks: ItemMarks
    # As large as a whole account, so that one fits the memory that an item leaves: most accounts that are shown whole
    # have been in a list before.
    room: None = None


class RenderedAccount(Struct, frozen=True, gc=False):
    """What all replies say of an account to everyone but itself, encoded. `face` is as in an item."""

    name: bytes
    face: bytes | None
    sign: bytes
    marks: Marks
    birthday: bytes
    basics: Basics


Rendered: TypeAlias = RenderedItem | RenderedAccount
"""What lists need, at least."""

Decorate = Callable[[bytes | None, bool], dict[str, bytes]]
"""The decorations of a stored text, encoded, in the era given; of None all of them, else those that differ."""


class _Template:
    """The text of a reply around its holes; the decorations of an account are part of that text."""

    def __init__(self, reply: Struct, defaults: Mapping[str, bytes]) -> None:
        self.plain = _encode(reply).split(_HOLE_BYTE)
        # The pieces that hold decorations, in parts, of which every other is a decoration.
        self._parts: dict[int, list[bytes]] = {}
        self._places: dict[str, tuple[int, int]] = {}
        shown = iter([name for name in reply.__struct_fields__ if getattr(reply, name) is _DECORATION])
        for number, piece in enumerate(self.plain):
            first, *rest = piece.split(_DECORATION_BYTE)
            parts = [first]
            for text in rest:
                name = next(shown)
                self._places[name] = number, len(parts)
                parts += (defaults[name], text)
            if rest:
                self._parts[number] = parts
                self.plain[number] = b"".join(parts)

    def decorated(self, given: Mapping[str, bytes]) -> list[bytes]:
        """The pieces between the holes, with the decorations `given` and else the defaults."""
        changed: dict[int, list[bytes]] = {}
        for name, text in given.items():
            if name in self._places:
                number, place = self._places[name]
                if number not in changed:
                    changed[number] = self._parts[number].copy()
                changed[number][place] = text
        pieces = self.plain.copy()
        for number, parts in changed.items():
            pieces[number] = b"".join(parts)
        return pieces


def _remembering(made: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """The function, which then knows what it made of short texts."""
    known = lru_cache(_DECORATED_REMEMBERED)(made)
    return lambda text: known(text) if len(text) <= _DECORATED_MAX_BYTES else made(text)


class InfoEncoder:
    """Writes `data` of acc/info."""

    def __init__(self, decorate: Decorate, *, recent: bool) -> None:
        self._decorate = decorate
        self._recent = recent
        more = {name: value for name, value in RECENT_ACC_INFO.items() if recent}
        if recent:
            more["name_render"] = _DECORATION
        info = AccInfo(
            mid=_HOLE,
            name=_HOLE,
            sex=_HOLE,
            face=_HOLE,
            face_nft=_HOLE,
            sign=_HOLE,
            rank=_HOLE,
            level=_HOLE,
            silence=_HOLE,
            coins=_HOLE,
            fans_badge=_DECORATION,
            fans_medal=_DECORATION,
            official=_HOLE,
            vip=_HOLE,
            pendant=_DECORATION,
            nameplate=_DECORATION,
            user_honour_info=_DECORATION,
            is_followed=_HOLE,
            top_photo=_DECORATION,
            sys_notice=_DECORATION,
            live_room=_DECORATION,
            birthday=_HOLE,
            school=_DECORATION,
            profession=_DECORATION,
            tags=_DECORATION,
            series=_DECORATION,
            is_senior_member=_HOLE,
            **more,
        )
        self._template = _Template(info, decorate(None, recent))
        self._decorated = _remembering(self._decorate_pieces)

    def encode(self, mid: int, account: RenderedAccount, face: bytes, *, followed: bool, coins: bytes = b"0") -> bytes:
        """One reply. `face` is the avatar's URL as JSON, `coins` the balance for the viewer."""
        basics, marks = account.basics, account.marks
        text = marks.decorations
        piece = self._template.plain if text is None else self._decorated(text)
        # fmt: off
        return b"".join((
            piece[0], b"%d" % mid, piece[1], account.name, piece[2], basics.sex, piece[3], face,
            piece[4], basics.face_nft, piece[5], account.sign, piece[6], basics.rank, piece[7], basics.level,
            piece[8], basics.silence, piece[9], coins, piece[10], marks.official, piece[11], marks.vip,
            piece[12], _BOOLS[followed], piece[13], account.birthday, piece[14], basics.is_senior_member, piece[15],
        ))
        # fmt: on

    def _decorate_pieces(self, text: bytes) -> list[bytes]:
        return self._template.decorated(self._decorate(text, self._recent))


class CardEncoder:
    """Writes `data` of card."""

    def __init__(self, decorate: Decorate) -> None:
        self._decorate = decorate
        text: Any = Raw(b'"%b"' % _HOLE_BYTE)
        card = CardAccount(
            mid=text,
            name=_HOLE,
            sex=_HOLE,
            rank=text,
            face=_HOLE,
            face_nft=_HOLE,
            spacesta=_HOLE,
            fans=_HOLE,
            friend=_HOLE,
            attention=_HOLE,
            sign=_HOLE,
            level_info=LevelInfo(_HOLE),
            pendant=_DECORATION,
            nameplate=_DECORATION,
            official=_HOLE,
            official_verify=_HOLE,
            vip=_HOLE,
            is_senior_member=_HOLE,
        )
        self._defaults = decorate(None, False)
        rest: Any = Card(
            card=_HOLE,
            space=_HOLE,
            following=_HOLE,
            archive_count=_HOLE,
            article_count=_HOLE,
            follower=_HOLE,
            like_num=_HOLE,
        )
        self._template = _Template(card, self._defaults)
        self._rest = _encode(rest).split(_HOLE_BYTE)
        self._space = _encode(Space(s_img=_HOLE, l_img=_HOLE)).split(_HOLE_BYTE)
        self._plain = self._template.plain, self._space_of(self._defaults)
        self._decorated = _remembering(self._decorate_pieces)

    def encode(
        self,
        mid: int,
        account: RenderedAccount,
        face: bytes,
        *,
        photo: bool,
        followed: bool,
        following: int,
        follower: int,
        archive_count: int,
        article_count: int,
        likes: int,
    ) -> bytes:
        """One reply, with the header images if `photo`. `face` is the avatar's URL as JSON."""
        rest, basics, marks = self._rest, account.basics, account.marks
        text = marks.decorations
        piece, space = self._plain if text is None else self._decorated(text)
        if not photo:
            space = b""
        fans, friends = b"%d" % follower, b"%d" % following
        # fmt: off
        return b"".join((
            rest[0], piece[0], b"%d" % mid, piece[1], account.name, piece[2], basics.sex, piece[3], basics.rank,
            piece[4], face, piece[5], basics.face_nft, piece[6], basics.spacesta, piece[7], fans,
            piece[8], friends, piece[9], friends, piece[10], account.sign, piece[11], basics.level,
            piece[12], marks.official, piece[13], marks.official_verify, piece[14], marks.card_vip,
            piece[15], basics.is_senior_member, piece[16], space, rest[2], _BOOLS[followed],
            rest[3], b"%d" % archive_count, rest[4], b"%d" % article_count, rest[5], fans,
            rest[6], b"%d" % likes, rest[7],
        ))
        # fmt: on

    def _decorate_pieces(self, text: bytes) -> tuple[list[bytes], bytes]:
        given = self._decorate(text, False)
        return self._template.decorated(given), self._space_of(given)

    def _space_of(self, decorations: Mapping[str, bytes]) -> bytes:
        small, full = (decorations.get(name, self._defaults[name]) for name in ("top_photo_small", "top_photo"))
        before, between, after = self._space
        return b"".join((self._rest[1], before, small, between, full, after))


class ItemEncoder:
    """Writes the elements of lists, which `encode_list` joins.

    `face_url` is the URL of a default avatar: the texts before and after the mid. An account's part is ten times
    as long as the rest: encoding it anew for each of the 20 items of a page was half of what a page cost.
    """

    def __init__(self, face_url: tuple[str, str], *, contract_info_empty: bool) -> None:
        contract = _encode(EMPTY_CONTRACT if contract_info_empty else NO_CONTRACT)
        before, after = (_encode(text)[1:-1].replace(b"%", b"%%") for text in face_url)
        relation = b'{"mid":%d,"attribute":%d,"mtime":%d,"tag":%b,"special":%d,"contract_info":' + contract
        stranger = b'{"mid":%d,"attribute":0,"mtime":%d,"tag":null,"special":0,"contract_info":' + contract
        own_face = b',"uname":%b,"face":%b,"sign":%b,%b'
        default_face = b',"uname":%b,"face":"' + before + b"%d" + after + b'","sign":%b,%b'
        self._item, self._item_default = relation + own_face, relation + default_face
        self._stranger, self._stranger_default = stranger + own_face, stranger + default_face

    def item(self, mid: int, attribute: int, mtime: int, groups: tuple[int, ...], account: Rendered) -> bytes:
        """One element; `groups` are the target's groups that the account is in, shown in an own list only."""
        tag = _encode(groups) if groups else b"null"
        head = (mid, attribute, mtime, tag, GROUP_SPECIAL in groups, account.name)
        if account.face is None:
            return self._item_default % (*head, mid, account.sign, account.marks.item_end)
        return self._item % (*head, account.face, account.sign, account.marks.item_end)

    def strangers(self, mids: list[int], mtimes: list[int], accounts: Sequence[Rendered]) -> list[bytes]:
        """Elements to which the viewer has no relation: what an anonymous viewer sees."""
        default, own = self._stranger_default, self._stranger
        return [
            default % (mid, mtime, account.name, mid, account.sign, account.marks.item_end)
            if account.face is None
            else own % (mid, mtime, account.name, account.face, account.sign, account.marks.item_end)
            for mid, mtime, account in zip(mids, mtimes, accounts, strict=True)
        ]


def item_end(item: RelationItem) -> bytes:
    """The JSON of an item from `face_nft` on."""
    encoded = _encode(item)
    return encoded[encoded.index(b'"face_nft":') :]


def encode_list(
    items: list[bytes], *, total: int | None = None, offset: str | None = None, re_version: bool = True
) -> bytes:
    """`data` of a list from its encoded items: RelationList, FansList with `offset`, OwnList without `total`.

    Without `re_version` it is FoundList.
    """
    parts = [b'{"list":[', b",".join(items), b"]"]
    if offset is not None:
        parts.append(b',"offset":"%b"' % offset.encode())
    if re_version:
        parts.append(b',"re_version":0')
    if total is not None:
        parts.append(b',"total":%d' % total)
    parts.append(b"}")
    return b"".join(parts)
