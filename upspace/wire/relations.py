"""Replies about relations: counters and lists (contract, sections 5.3, 6.4 to 6.6 and 9)."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from upspace.wire.accounts import Flag, Label, OfficialVerify
from upspace.wire.codes import ATTRIBUTE_NONE, GROUP_SPECIAL
from upspace.wire.forms import CURSOR, MID, ORDER, PN, PS, TEXT, Cursor

_encode = msgspec.json.Encoder().encode


class StatParameters(Struct, frozen=True):
    """The target of relation/stat."""

    vmid: Annotated[int, MID]


class FollowersParameters(Struct, frozen=True):
    """Which page of the followers of `vmid`. `ps` is None where the profile's default counts."""

    vmid: Annotated[int, MID]
    pn: Annotated[int, PN] = 1
    ps: Annotated[int | None, PS] = None
    order: Annotated[bool, ORDER] = False


class FollowingsParameters(FollowersParameters, frozen=True):
    """Which page of the followings of `vmid`; `order_type=attention` puts special accounts first."""

    order_type: Annotated[str, TEXT] = ""


class FansParameters(Struct, frozen=True):
    """Which page of the fans of `vmid`, newest first: by `pn`, or after the element of `offset`."""

    vmid: Annotated[int, MID]
    pn: Annotated[int, PN] = 1
    ps: Annotated[int | None, PS] = None
    offset: Annotated[Cursor | None, CURSOR] = None


class RelationStat(Struct, frozen=True):
    """`data` of relation/stat. Contract: 6.4."""

    mid: int
    following: int
    whisper: int
    black: int
    follower: int


class ContractInfo(Struct, frozen=True):
    """The fan contract between two accounts. Nothing here ever concludes one, so it is always the unset value."""

    is_contractor: bool | UnsetType = UNSET
    ts: int | UnsetType = UNSET
    is_contract: bool | UnsetType = UNSET
    user_attr: int | UnsetType = UNSET


NO_CONTRACT = ContractInfo(is_contractor=False, ts=0, is_contract=False, user_attr=0)
EMPTY_CONTRACT = ContractInfo()


class RelationVip(Struct, frozen=True):
    """A membership, relation form: the data of `Vip` under other names. `vipDueDate` is in unix milliseconds."""

    vipType: int
    vipDueDate: int
    dueRemark: str
    accessStatus: int
    vipStatus: int
    vipStatusWarn: str
    themeType: int
    label: Label
    avatar_subscript: int
    nickname_color: str
    avatar_subscript_url: str


class RelationItem(Struct, frozen=True, kw_only=True):
    """One element of a list. Contract: 5.3.

    The fields before `uname` depend on the target and the viewer, the rest on the listed account alone.
    """

    mid: int
    attribute: int = ATTRIBUTE_NONE
    mtime: int = 0
    tag: list[int] | None = None
    special: Flag = 0
    contract_info: ContractInfo = NO_CONTRACT
    uname: str
    face: str
    sign: str
    face_nft: Flag
    official_verify: OfficialVerify
    vip: RelationVip
    name_render: dict[str, Any] | UnsetType | None = UNSET
    nft_icon: str
    rec_reason: str | UnsetType = UNSET
    track_id: str | UnsetType = UNSET
    follow_time: str | UnsetType = UNSET


class RelationList(Struct, frozen=True):
    """`data` of followers and followings. Contract: 6.5, 6.6."""

    items: list[RelationItem] = field(name="list")
    re_version: int
    total: int


class FansList(Struct, frozen=True):
    """`data` of fans: `offset` continues after the last element. Contract: 9."""

    items: list[RelationItem] = field(name="list")
    offset: str
    re_version: int
    total: int


class ItemAccount(Struct, frozen=True, gc=False):
    """The account's part of an item, encoded: the same in every list the account is in.

    `names` are the members from `uname` to `face_nft`, each account's own. `marks` are the rest with the
    closing brace; few accounts differ in them, so the bytes can be shared.
    """

    names: bytes
    marks: bytes


def encode_names(uname: str, face: str, sign: str, face_nft: int) -> bytes:
    """The first part of ItemAccount."""
    return b'"uname":%b,"face":%b,"sign":%b,"face_nft":%d,' % (_encode(uname), _encode(face), _encode(sign), face_nft)


def encode_marks(item: RelationItem) -> bytes:
    """The second part of ItemAccount: the JSON of an item from `official_verify` on."""
    encoded = _encode(item)
    return encoded[encoded.index(b'"official_verify":') :]


class ItemEncoder:
    """Writes the elements of lists as parts, which `encode_list` joins.

    The account's part is ten times as long as the rest. Encoding it anew for each of the 20 items of a page was
    half of what a page cost, so a list is spliced from bytes that are there already.
    """

    def __init__(self, *, contract_info_empty: bool) -> None:
        contract = _encode(EMPTY_CONTRACT if contract_info_empty else NO_CONTRACT)
        start = b',{"mid":%d,"attribute":%d,"mtime":%d,"tag":%b,"special":%d,"contract_info":'
        self._head = start + contract + b","
        self._head_of_stranger = b',{"mid":%d,"attribute":0,"mtime":%d,"tag":null,"special":0,"contract_info":%b,'
        self._head_of_stranger = self._head_of_stranger.replace(b"%b", contract)

    def item(
        self, mid: int, attribute: int, mtime: int, groups: tuple[int, ...], account: ItemAccount
    ) -> tuple[bytes, bytes, bytes]:
        """One element; `groups` are the target's groups that the account is in, shown in an own list only."""
        tag = _encode(groups) if groups else b"null"
        head = self._head % (mid, attribute, mtime, tag, GROUP_SPECIAL in groups)
        return head, account.names, account.marks

    def strangers(self, mids: list[int], mtimes: list[int], accounts: list[ItemAccount]) -> list[bytes]:
        """Elements to which the viewer has no relation: what an anonymous viewer sees."""
        head = self._head_of_stranger
        parts: list[bytes] = []
        for mid, mtime, account in zip(mids, mtimes, accounts, strict=True):
            parts += (head % (mid, mtime), account.names, account.marks)
        return parts


def encode_list(parts: list[bytes], total: int, offset: str | None = None) -> bytes:
    """`data` of RelationList, or of FansList when `offset` is given, from the parts of its items."""
    cursor = b"" if offset is None else b',"offset":"%b"' % offset.encode()
    if parts:
        parts[0] = parts[0].removeprefix(b",")
    return b"".join((b'{"list":[', *parts, b']%b,"re_version":0,"total":%d}' % (cursor, total)))
