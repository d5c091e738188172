"""The endpoints of the contract, one function each: what to send, and how the reply is read. No I/O.

Numbers are sent as they are given; whether they are in range is for the server to say, with BadRequestError. Besides
the errors that are named, every call may raise those of `upspace.wire.errors` that any endpoint may answer with,
UnknownCodeError, UnreadableReplyError, and the exceptions of httpx for connections.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from upspace.client import replies
from upspace.client.replies import nothing, promised
from upspace.client.requests import Call, row
from upspace.wire.accounts import AccInfo, Card, Empty, Fingerprints, MyInfo, Nav, NavAnonymous, UpstatReply
from upspace.wire.codes import (
    ACT_BLOCK,
    ACT_FOLLOW,
    ACT_REMOVE_FOLLOWER,
    ACT_UNBLOCK,
    ACT_UNFOLLOW,
    ACT_UNWHISPER,
    ACT_WHISPER,
)
from upspace.wire.errors import NotSignedInError
from upspace.wire.groups import CreatedGroup, GroupItem, GroupReply
from upspace.wire.relations import (
    FailedBatch,
    FansList,
    FoundList,
    MutualAttributes,
    OwnList,
    RelationAttribute,
    RelationList,
    RelationStat,
)

Order: TypeAlias = Literal["desc", "asc"]
OrderType: TypeAlias = Literal["", "attention"]

_ACC_INFO = row("acc_info", promised(AccInfo))
_CARD = row("card", promised(Card))
_UPSTAT = row("upstat", replies.upstat)
_RELATION_STAT = row("relation_stat", promised(RelationStat))
_FOLLOWERS = row("followers", promised(RelationList))
_FOLLOWINGS = row("followings", promised(RelationList))
_FANS = row("fans", promised(FansList))
_NAV = row("nav", promised(Nav, {NotSignedInError.code: NavAnonymous}))
_MYINFO = row("myinfo", promised(MyInfo))
_FINGER_SPI = row("finger_spi", promised(Fingerprints))
_EX_CLIMB_WUZHI = row("ex_climb_wuzhi", promised(Empty))
_RELATION = row("relation", promised(RelationAttribute))
_RELATIONS = row("relations", promised(dict[str, RelationAttribute]))
_ACC_RELATION = row("acc_relation", promised(MutualAttributes))
_SEARCH_FOLLOWINGS = row("search_followings", promised(FoundList))
_SAME_FOLLOWINGS = row("same_followings", promised(RelationList))
_WHISPERS = row("whispers", promised(OwnList))
_FRIENDS = row("friends", promised(OwnList))
_BLACKS = row("blacks", promised(RelationList))
_MODIFY = row("modify", nothing)
_BATCH_MODIFY = row("batch_modify", promised(FailedBatch))
_GROUPS = row("groups", promised(list[GroupReply]))
_GROUP_MEMBERS = row("group_members", promised(list[GroupItem]))
_GROUPS_OF = row("groups_of", promised(dict[str, str]))
_SPECIAL = row("special", promised(list[int]))
_CREATE_GROUP = row("create_group", promised(CreatedGroup))
_RENAME_GROUP = row("rename_group", nothing)
_DELETE_GROUP = row("delete_group", nothing)
_SET_MEMBERS = row("set_members", nothing)
_COPY_MEMBERS = row("copy_members", nothing)
_MOVE_MEMBERS = row("move_members", nothing)


def acc_info(mid: int) -> Call[AccInfo]:
    """What is shown of an account on its page.

    Raises NotFoundError for an account that is unknown or deleted. Contract: 6.1.
    """
    return _ACC_INFO(mid=mid)


def card(mid: int, *, photo: bool = False) -> Call[Card]:
    """An account in short, with its counters; with the header images if `photo`.

    Raises NotFoundError for an account that is unknown or deleted. Contract: 6.2.
    """
    return _CARD(mid=mid, photo=photo or None)


def upstat(mid: int) -> Call[UpstatReply | None]:
    """Plays, reads and likes of an uploader; zeros for an account that is unknown.

    None where the server shows them only to viewers who are logged in. Contract: 6.3.
    """
    return _UPSTAT(mid=mid)


def relation_stat(vmid: int) -> Call[RelationStat]:
    """Counters of an account's relations; zeros for an account that is unknown. Contract: 6.4."""
    return _RELATION_STAT(vmid=vmid)


def followers(vmid: int, *, pn: int = 1, ps: int | None = None, order: Order = "desc") -> Call[RelationList]:
    """A page of the accounts that follow `vmid`, by the time of following.

    `ps` is at most 50; without it the server's default counts. `mtime` is in unix seconds. Raises NotSignedInError,
    FollowersHiddenError, PageTooDeepError. Contract: 6.5.
    """
    return _FOLLOWERS(vmid=vmid, pn=pn, ps=ps, order=order)


def followings(
    vmid: int, *, pn: int = 1, ps: int | None = None, order: Order = "desc", order_type: OrderType = ""
) -> Call[RelationList]:
    """A page of the accounts that `vmid` follows, by the time of following.

    With `order_type="attention"` the viewer's own list has special accounts first. `ps` is at most 50; without it the
    server's default counts. `mtime` is in unix seconds. Raises NotSignedInError, FollowingsHiddenError,
    PageTooDeepError. Contract: 6.6.
    """
    return _FOLLOWINGS(vmid=vmid, pn=pn, ps=ps, order=order, order_type=order_type or None)


def fans(vmid: int, *, pn: int = 1, ps: int | None = None, offset: str = "") -> Call[FansList]:
    """Followers of `vmid`, newest first: a page, or those after `offset` of the reply before.

    `ps` is at most 50; without it the server's default counts. `mtime` is in unix seconds. Raises NotSignedInError,
    FollowersHiddenError, PageTooDeepError. Contract: 9.
    """
    return _FANS(vmid=vmid, pn=None if offset else pn, ps=ps, offset=offset or None)


def nav() -> Call[Nav]:
    """Who is logged in.

    Raises NotSignedInError for an anonymous viewer; its `data` is a `NavAnonymous` then. Contract: 10.
    """
    return _NAV()


def myinfo() -> Call[MyInfo]:
    """acc/info of the viewer with the viewer's counters. Raises NotSignedInError. Contract: 10."""
    return _MYINFO()


def finger_spi() -> Call[Fingerprints]:
    """Placeholders that clients fetch first. Contract: 10."""
    return _FINGER_SPI()


def ex_climb_wuzhi(report: Mapping[str, Any] | None = None) -> Call[Empty]:
    """Hands in a report as JSON; this server keeps nothing of it. Contract: 10."""
    return _EX_CLIMB_WUZHI(msgspec.json.encode(report or {}))


def relation(fid: int) -> Call[RelationAttribute]:
    """The viewer's relation to an account. Raises NotSignedInError. Contract: 7."""
    return _RELATION(fid=fid)


def relations(fids: Iterable[int]) -> Call[dict[str, RelationAttribute]]:
    """The viewer's relations to many accounts, by mid as text; those without a relation are left out.

    Raises NotSignedInError, and BadRequestError for more accounts than the server allows. Contract: 7.
    """
    return _RELATIONS(fids=fids)


def acc_relation(mid: int) -> Call[MutualAttributes]:
    """The relation of the viewer to an account, and of the account to the viewer.

    Raises NotSignedInError. Contract: 7.
    """
    return _ACC_RELATION(mid=mid)


def search_followings(vmid: int, name: str = "", *, pn: int = 1, ps: int | None = None) -> Call[FoundList]:
    """A page of the followings of `vmid` whose names hold `name`, newest first; case does not count.

    Raises NotSignedInError, FollowingsHiddenError, PageTooDeepError. Contract: 7.
    """
    return _SEARCH_FOLLOWINGS(vmid=vmid, name=name or None, pn=pn, ps=ps)


def same_followings(vmid: int, *, pn: int = 1, ps: int | None = None) -> Call[RelationList]:
    """A page of whom the viewer and `vmid` both follow, newest follow of the viewer first.

    Raises NotSignedInError, FollowingsHiddenError. Contract: 7.
    """
    return _SAME_FOLLOWINGS(vmid=vmid, pn=pn, ps=ps)


def whispers(*, pn: int = 1, ps: int | None = None) -> Call[OwnList]:
    """A page of whom the viewer follows in secret, newest first. Raises NotSignedInError. Contract: 7."""
    return _WHISPERS(pn=pn, ps=ps)


def friends(*, pn: int | None = None, ps: int | None = None) -> Call[OwnList]:
    """Whom the viewer follows and is followed by, newest first: a page, or all without `pn` and `ps`.

    Raises NotSignedInError. Contract: 7.
    """
    return _FRIENDS(pn=pn, ps=ps)


def blacks(*, pn: int = 1, ps: int | None = None) -> Call[RelationList]:
    """A page of whom the viewer has blocked, newest first. Raises NotSignedInError. Contract: 7."""
    return _BLACKS(pn=pn, ps=ps)


def modify(fid: int, act: int, *, re_src: int = 0) -> Call[None]:
    """Changes the relation between the viewer and an account; `act` is an ACT_ of `upspace.wire.codes`.

    `re_src` says where it was done. Raises NotSignedInError, CsrfError, ViewerSuspendedError, SelfTargetError,
    UnknownAccountError, and what `act` may be refused with: see the functions named after the acts. Contract: 8.1.
    """
    return _MODIFY(fid=fid, act=act, re_src=re_src or None)


def follow(fid: int, *, re_src: int = 0) -> Call[None]:
    """The viewer follows an account; a whisper becomes a follow.

    Raises what `modify` may, and TargetDeletedError, TargetBlockedError, BlockedByTargetError, AlreadyRelatedError,
    TooManyFollowingsError. Contract: 8.1.
    """
    return modify(fid, ACT_FOLLOW, re_src=re_src)


def unfollow(fid: int, *, re_src: int = 0) -> Call[None]:
    """Ends a follow, if there is one. Raises what `modify` may. Contract: 8.1."""
    return modify(fid, ACT_UNFOLLOW, re_src=re_src)


def whisper(fid: int, *, re_src: int = 0) -> Call[None]:
    """The viewer follows an account in secret; a follow becomes a whisper.

    Raises what `follow` may, and BadRequestError where the server has no whispers. Contract: 8.1.
    """
    return modify(fid, ACT_WHISPER, re_src=re_src)


def unwhisper(fid: int, *, re_src: int = 0) -> Call[None]:
    """Ends a whisper, if there is one. Raises what `modify` may. Contract: 8.1."""
    return modify(fid, ACT_UNWHISPER, re_src=re_src)


def block(fid: int, *, re_src: int = 0) -> Call[None]:
    """Blocks an account, which ends the follows and whispers of both.

    Raises what `modify` may, and TargetDeletedError, AlreadyBlockedError, TooManyBlacksError. Contract: 8.1.
    """
    return modify(fid, ACT_BLOCK, re_src=re_src)


def unblock(fid: int, *, re_src: int = 0) -> Call[None]:
    """Ends a block, if there is one. Raises what `modify` may. Contract: 8.1."""
    return modify(fid, ACT_UNBLOCK, re_src=re_src)


def remove_follower(fid: int, *, re_src: int = 0) -> Call[None]:
    """Ends an account's follow or whisper of the viewer, if there is one. Raises what `modify` may. Contract: 8.1."""
    return modify(fid, ACT_REMOVE_FOLLOWER, re_src=re_src)


def batch_modify(fids: Iterable[int], act: int, *, re_src: int = 0) -> Call[FailedBatch]:
    """Follows or blocks many accounts, each on its own; those that were refused are in `failed_fids`.

    `act` is ACT_FOLLOW or ACT_BLOCK. Raises NotSignedInError, CsrfError, ViewerSuspendedError, SelfTargetError, and
    BadRequestError for another act or too many accounts. Contract: 8.2.
    """
    return _BATCH_MODIFY(fids=fids, act=act, re_src=re_src or None)


def groups() -> Call[list[GroupReply]]:
    """The viewer's groups: the two built-in ones, then own ones, oldest first.

    Raises NotSignedInError. Contract: 8.3.
    """
    return _GROUPS()


def group_members(
    tagid: int, *, pn: int = 1, ps: int | None = None, order_type: OrderType = ""
) -> Call[list[GroupItem]]:
    """A page of the members of a group of the viewer, newest first; with "attention" special accounts first.

    Raises NotSignedInError, UnknownGroupError. Contract: 8.3.
    """
    return _GROUP_MEMBERS(tagid=tagid, pn=pn, ps=ps, order_type=order_type or None)


def groups_of(fid: int) -> Call[dict[str, str]]:
    """The groups of the viewer that an account is in: names by id as text. Raises NotSignedInError. Contract: 8.3."""
    return _GROUPS_OF(fid=fid)


def special(*, pn: int | None = None, ps: int | None = None) -> Call[list[int]]:
    """The mids of the viewer's special accounts, newest first: a page, or all without `pn` and `ps`.

    Raises NotSignedInError. Contract: 8.3.
    """
    return _SPECIAL(pn=pn, ps=ps)


def create_group(tag: str) -> Call[CreatedGroup]:
    """Makes a group of that name.

    Raises NotSignedInError, CsrfError, ViewerSuspendedError, BadRequestError for an empty name,
    GroupNameCharactersError, GroupNameTooLongError, GroupNameTakenError, TooManyGroupsError. Contract: 8.3.
    """
    return _CREATE_GROUP(tag=tag)


def rename_group(tagid: int, name: str) -> Call[None]:
    """Gives a group another name.

    Raises UnknownGroupError, and what `create_group` may but for TooManyGroupsError. Contract: 8.3.
    """
    return _RENAME_GROUP(tagid=tagid, name=name)


def delete_group(tagid: int) -> Call[None]:
    """Deletes a group; its members stay followed.

    Raises NotSignedInError, CsrfError, ViewerSuspendedError, UnknownGroupError. Contract: 8.3.
    """
    return _DELETE_GROUP(tagid=tagid)


def set_members(fids: Iterable[int], tagids: Iterable[int]) -> Call[None]:
    """Sets the groups of accounts to exactly those; a 0 among them empties them.

    Raises NotSignedInError, CsrfError, ViewerSuspendedError, BadRequestError for too many accounts,
    UnknownGroupError, NotFollowedError. All is changed or nothing. Contract: 8.3.
    """
    return _SET_MEMBERS(fids=fids, tagids=tagids)


def copy_members(fids: Iterable[int], tagids: Iterable[int]) -> Call[None]:
    """Adds accounts to groups. Raises what `set_members` may. Contract: 8.3."""
    return _COPY_MEMBERS(fids=fids, tagids=tagids)


def move_members(fids: Iterable[int], before: Iterable[int], after: Iterable[int]) -> Call[None]:
    """Takes accounts out of the groups `before` and adds them to the groups `after`.

    Raises what `set_members` may. Contract: 8.3.
    """
    return _MOVE_MEMBERS(fids=fids, beforeTagids=before, afterTagids=after)
