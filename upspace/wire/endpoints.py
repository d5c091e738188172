"""The endpoint table: one row for each endpoint of the contract that this server answers."""

from enum import Enum
from typing import Any

from msgspec import Struct

from upspace.wire import accounts, groups, relations
from upspace.wire.envelope import SUCCESS_MESSAGE


class Login(Enum):
    """Whether an anonymous viewer is refused with -101."""

    OPEN = "open"
    LISTS = "lists"  # where the profile sets `lists_need_login`
    REQUIRED = "required"


class Endpoint(Struct, frozen=True, kw_only=True):
    """One endpoint. `paths` are the path and its aliases; `replies` are the types `data` may have, none where a
    success has no data; `message` is what a success says. A `write` asks for a CSRF value and is closed to suspended
    viewers."""

    name: str
    method: str = "GET"
    paths: tuple[str, ...]
    parameters: type[Struct] = accounts.Empty
    replies: tuple[Any, ...] = ()
    login: Login = Login.OPEN
    message: str = SUCCESS_MESSAGE
    write: bool = False
    section: str
    summary: str


ENDPOINTS = (
    Endpoint(
        name="acc_info",
        paths=("/x/space/acc/info", "/x/space/wbi/acc/info"),
        parameters=accounts.MidParameters,
        replies=(accounts.AccInfo,),
        section="6.1",
        summary="What is shown of an account on its page",
    ),
    Endpoint(
        name="card",
        paths=("/x/web-interface/card",),
        parameters=accounts.CardParameters,
        replies=(accounts.Card,),
        section="6.2",
        summary="An account in short, with its counters",
    ),
    Endpoint(
        name="upstat",
        paths=("/x/space/upstat",),
        parameters=accounts.MidParameters,
        replies=(accounts.UpstatReply, accounts.Empty),
        section="6.3",
        summary="Plays, reads and likes of an uploader",
    ),
    Endpoint(
        name="relation_stat",
        paths=("/x/relation/stat",),
        parameters=relations.StatParameters,
        replies=(relations.RelationStat,),
        section="6.4",
        summary="Counters of an account's relations",
    ),
    Endpoint(
        name="followers",
        paths=("/x/relation/followers",),
        parameters=relations.FollowersParameters,
        replies=(relations.RelationList,),
        login=Login.LISTS,
        section="6.5",
        summary="A page of the accounts that follow an account",
    ),
    Endpoint(
        name="followings",
        paths=("/x/relation/followings",),
        parameters=relations.FollowingsParameters,
        replies=(relations.RelationList,),
        login=Login.LISTS,
        section="6.6",
        summary="A page of the accounts that an account follows",
    ),
    Endpoint(
        name="fans",
        paths=("/x/relation/fans",),
        parameters=relations.FansParameters,
        replies=(relations.FansList,),
        login=Login.LISTS,
        section="9",
        summary="Followers, newest first, by page or by cursor",
    ),
    Endpoint(
        name="nav",
        paths=("/x/web-interface/nav",),
        replies=(accounts.Nav,),
        section="10",
        summary="Who is logged in",
    ),
    Endpoint(
        name="myinfo",
        paths=("/x/space/myinfo", "/x/space/v2/myinfo"),
        replies=(accounts.MyInfo,),
        login=Login.REQUIRED,
        section="10",
        summary="acc/info of the viewer with the viewer's counters",
    ),
    Endpoint(
        name="finger_spi",
        message="ok",
        paths=("/x/frontend/finger/spi",),
        replies=(accounts.Fingerprints,),
        section="10",
        summary="Placeholders that clients fetch first",
    ),
    Endpoint(
        name="ex_climb_wuzhi",
        method="POST",
        paths=("/x/internal/gaia-gateway/ExClimbWuzhi",),
        replies=(accounts.Empty,),
        section="10",
        summary="Accepts what clients report and keeps nothing",
    ),
    Endpoint(
        name="relation",
        paths=("/x/relation",),
        parameters=relations.TargetParameters,
        replies=(relations.RelationAttribute,),
        login=Login.REQUIRED,
        section="7",
        summary="The viewer's relation to an account",
    ),
    Endpoint(
        name="relations",
        paths=("/x/relation/relations",),
        parameters=relations.RelationsParameters,
        replies=(dict[str, relations.RelationAttribute],),
        login=Login.REQUIRED,
        section="7",
        summary="The viewer's relations to many accounts",
    ),
    Endpoint(
        name="acc_relation",
        paths=("/x/space/acc/relation", "/x/space/wbi/acc/relation", "/x/web-interface/relation"),
        parameters=accounts.MidParameters,
        replies=(relations.MutualAttributes,),
        login=Login.REQUIRED,
        section="7",
        summary="The relation of the viewer to an account, and of the account to the viewer",
    ),
    Endpoint(
        name="search_followings",
        paths=("/x/relation/followings/search",),
        parameters=relations.SearchParameters,
        replies=(relations.FoundList,),
        login=Login.LISTS,
        section="7",
        summary="Followings of an account by a part of their names",
    ),
    Endpoint(
        name="same_followings",
        paths=("/x/relation/same/followings",),
        parameters=relations.SameParameters,
        replies=(relations.RelationList,),
        login=Login.REQUIRED,
        section="7",
        summary="Whom the viewer and an account both follow",
    ),
    Endpoint(
        name="whispers",
        paths=("/x/relation/whispers",),
        parameters=relations.PageParameters,
        replies=(relations.OwnList,),
        login=Login.REQUIRED,
        section="7",
        summary="Whom the viewer follows in secret",
    ),
    Endpoint(
        name="friends",
        paths=("/x/relation/friends",),
        parameters=relations.OptionalPageParameters,
        replies=(relations.OwnList,),
        login=Login.REQUIRED,
        section="7",
        summary="Whom the viewer follows and is followed by",
    ),
    Endpoint(
        name="blacks",
        paths=("/x/relation/blacks",),
        parameters=relations.PageParameters,
        replies=(relations.RelationList,),
        login=Login.REQUIRED,
        section="7",
        summary="Whom the viewer has blocked",
    ),
    Endpoint(
        name="modify",
        method="POST",
        paths=("/x/relation/modify",),
        parameters=relations.ModifyParameters,
        login=Login.REQUIRED,
        write=True,
        section="8.1",
        summary="Follow, whisper, block, and their reverses",
    ),
    Endpoint(
        name="batch_modify",
        method="POST",
        paths=("/x/relation/batch/modify",),
        parameters=relations.BatchModifyParameters,
        replies=(relations.FailedBatch,),
        login=Login.REQUIRED,
        write=True,
        section="8.2",
        summary="Follow or block many accounts",
    ),
    Endpoint(
        name="groups",
        paths=("/x/relation/tags",),
        replies=(list[groups.GroupReply],),
        login=Login.REQUIRED,
        section="8.3",
        summary="The viewer's groups",
    ),
    Endpoint(
        name="group_members",
        paths=("/x/relation/tag",),
        parameters=groups.GroupParameters,
        replies=(list[groups.GroupItem],),
        login=Login.REQUIRED,
        section="8.3",
        summary="The members of a group of the viewer",
    ),
    Endpoint(
        name="groups_of",
        paths=("/x/relation/tag/user",),
        parameters=groups.MemberParameters,
        replies=(dict[str, str],),
        login=Login.REQUIRED,
        section="8.3",
        summary="The groups of the viewer that an account is in",
    ),
    Endpoint(
        name="special",
        paths=("/x/relation/tag/special",),
        parameters=relations.OptionalPageParameters,
        replies=(list[int],),
        login=Login.REQUIRED,
        section="8.3",
        summary="The viewer's special accounts",
    ),
    Endpoint(
        name="create_group",
        method="POST",
        paths=("/x/relation/tag/create",),
        parameters=groups.CreateGroupParameters,
        replies=(groups.CreatedGroup,),
        login=Login.REQUIRED,
        write=True,
        section="8.3",
        summary="Make a group",
    ),
    Endpoint(
        name="rename_group",
        method="POST",
        paths=("/x/relation/tag/update",),
        parameters=groups.RenameGroupParameters,
        login=Login.REQUIRED,
        write=True,
        section="8.3",
        summary="Rename a group",
    ),
    Endpoint(
        name="delete_group",
        method="POST",
        paths=("/x/relation/tag/del",),
        parameters=groups.DeleteGroupParameters,
        login=Login.REQUIRED,
        write=True,
        section="8.3",
        summary="Delete a group; its members stay followed",
    ),
    Endpoint(
        name="set_members",
        method="POST",
        paths=("/x/relation/tags/addUsers",),
        parameters=groups.MembersParameters,
        login=Login.REQUIRED,
        write=True,
        section="8.3",
        summary="Set the groups of accounts",
    ),
    Endpoint(
        name="copy_members",
        method="POST",
        paths=("/x/relation/tags/copyUsers",),
        parameters=groups.MembersParameters,
        login=Login.REQUIRED,
        write=True,
        section="8.3",
        summary="Add accounts to groups",
    ),
    Endpoint(
        name="move_members",
        method="POST",
        paths=("/x/relation/tags/moveUsers",),
        parameters=groups.MoveMembersParameters,
        login=Login.REQUIRED,
        write=True,
        section="8.3",
        summary="Move accounts from groups to others",
    ),
)
