"""Replies about relations: counters and lists (contract, sections 5.3, 6.4 to 6.6, 7, 8.1, 8.2 and 9)."""

from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType, field

from upspace.wire.accounts import Flag, Label, OfficialVerify
from upspace.wire.codes import ATTRIBUTE_NONE
from upspace.wire.forms import (
    ACT,
    BATCH_ACT,
    BATCH_MIDS,
    CURSOR,
    MID,
    OPTIONAL_PN,
    ORDER,
    ORDER_TYPE,
    PN,
    PS,
    RE_SRC,
    RELATIONS_MIDS,
    TEXT,
    Cursor,
)


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

    order_type: Annotated[bool, ORDER_TYPE] = False


class FansParameters(Struct, frozen=True):
    """Which page of the fans of `vmid`, newest first: by `pn`, or after the element of `offset`."""

    vmid: Annotated[int, MID]
    pn: Annotated[int, PN] = 1
    ps: Annotated[int | None, PS] = None
    offset: Annotated[Cursor | None, CURSOR] = None


class TargetParameters(Struct, frozen=True):
    """The account that the viewer's relation is asked for."""

    fid: Annotated[int, MID]


class RelationsParameters(Struct, frozen=True):
    """The accounts that the viewer's relations are asked for."""

    fids: Annotated[tuple[int, ...], RELATIONS_MIDS]


class SearchParameters(Struct, frozen=True):
    """Which page of the followings of `vmid` whose names hold `name`."""

    vmid: Annotated[int, MID]
    name: Annotated[str, TEXT] = ""
    pn: Annotated[int, PN] = 1
    ps: Annotated[int | None, PS] = None


class SameParameters(Struct, frozen=True):
    """Which page of whom the viewer and `vmid` both follow."""

    vmid: Annotated[int, MID]
    pn: Annotated[int, PN] = 1
    ps: Annotated[int | None, PS] = None


class PageParameters(Struct, frozen=True):
    """Which page of a list of the viewer's own."""

    pn: Annotated[int, PN] = 1
    ps: Annotated[int | None, PS] = None


class OptionalPageParameters(Struct, frozen=True):
    """Which page of a list of the viewer's own; without both the whole list."""

    pn: Annotated[int | None, OPTIONAL_PN] = None
    ps: Annotated[int | None, PS] = None


class ModifyParameters(Struct, frozen=True):
    """What the viewer does to `fid`. Contract: 8.1."""

    fid: Annotated[int, MID]
    act: Annotated[int, ACT]
    re_src: Annotated[int, RE_SRC] = 0


class BatchModifyParameters(Struct, frozen=True):
    """What the viewer does to each of `fids`. Contract: 8.2."""

    fids: Annotated[tuple[int, ...], BATCH_MIDS]
    act: Annotated[int, BATCH_ACT]
    re_src: Annotated[int, RE_SRC] = 0


class RelationAttribute(Struct, frozen=True):
    """The relation to one account; without one everything but `mid` is zero or null. Contract: 5.3."""

    mid: int
    attribute: int = ATTRIBUTE_NONE
    mtime: int = 0
    tag: list[int] | None = None
    special: Flag = 0


class MutualAttributes(Struct, frozen=True):
    """`data` of acc/relation: the viewer's relation to the target, and the target's to the viewer."""

    relation: RelationAttribute
    be_relation: RelationAttribute


class FailedBatch(Struct, frozen=True):
    """`data` of batch/modify: the members that were refused, in order."""

    failed_fids: list[int]


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


class FoundList(Struct, frozen=True):
    """`data` of followings/search. Contract: 7."""

    items: list[RelationItem] = field(name="list")
    total: int


class OwnList(Struct, frozen=True):
    """`data` of whispers and friends. Contract: 7."""

    items: list[RelationItem] = field(name="list")
    re_version: int


class FansList(Struct, frozen=True):
    """`data` of fans: `offset` continues after the last element. Contract: 9."""

    items: list[RelationItem] = field(name="list")
    offset: str
    re_version: int
    total: int
