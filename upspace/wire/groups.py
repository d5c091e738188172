"""Parameters and replies of groups (contract, section 8.3). On the wire a group is a tag."""

from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType

from upspace.wire.accounts import Flag, OfficialVerify
from upspace.wire.codes import ATTRIBUTE_NONE
from upspace.wire.forms import GROUP_ID, GROUP_IDS, GROUP_MIDS, MID, ORDER_TYPE, PN, PS, REQUIRED_TEXT
from upspace.wire.relations import NO_CONTRACT, ContractInfo, RelationVip


class GroupParameters(Struct, frozen=True):
    """Which page of the members of a group; `order_type=attention` puts special accounts first."""

    tagid: Annotated[int, GROUP_ID]
    order_type: Annotated[bool, ORDER_TYPE] = False
    pn: Annotated[int, PN] = 1
    ps: Annotated[int | None, PS] = None


class MemberParameters(Struct, frozen=True):
    """The account whose groups are asked for."""

    fid: Annotated[int, MID]


class CreateGroupParameters(Struct, frozen=True):
    """The name of a new group."""

    tag: Annotated[str, REQUIRED_TEXT]


class RenameGroupParameters(Struct, frozen=True):
    """The new name of a group."""

    tagid: Annotated[int, GROUP_ID]
    name: Annotated[str, REQUIRED_TEXT]


class DeleteGroupParameters(Struct, frozen=True):
    """The group to delete."""

    tagid: Annotated[int, GROUP_ID]


class MembersParameters(Struct, frozen=True):
    """Accounts, and the groups they are set to or added to."""

    fids: Annotated[tuple[int, ...], GROUP_MIDS]
    tagids: Annotated[tuple[int, ...], GROUP_IDS]


class MoveMembersParameters(Struct, frozen=True):
    """Groups that accounts leave, groups that they join."""

    beforeTagids: Annotated[tuple[int, ...], GROUP_IDS]
    afterTagids: Annotated[tuple[int, ...], GROUP_IDS]
    fids: Annotated[tuple[int, ...], GROUP_MIDS]


class GroupReply(Struct, frozen=True):
    """A group of the viewer; `count` is the number of its listed members."""

    tagid: int
    name: str
    count: int
    tip: str


class CreatedGroup(Struct, frozen=True):
    """`data` of tag/create."""

    tagid: int


class Live(Struct, frozen=True):
    """Whether an account is on air, and where."""

    live_status: Flag = 0
    jump_url: str = ""


class GroupItem(Struct, frozen=True, kw_only=True):
    """A member of a group. `attribute`, `tag` and `special` are constants on purpose. Contract: 8.3."""

    mid: int
    attribute: int = ATTRIBUTE_NONE
    tag: None = None
    special: Flag = 0
    contract_info: ContractInfo = NO_CONTRACT
    uname: str
    face: str
    sign: str
    face_nft: Flag
    official_verify: OfficialVerify
    vip: RelationVip
    live: Live
    name_render: dict[str, Any] | UnsetType | None = UNSET
    nft_icon: str
    rec_reason: str | UnsetType = UNSET
    track_id: str | UnsetType = UNSET
    follow_time: str | UnsetType = UNSET
