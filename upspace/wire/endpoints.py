"""The endpoint table: one row for each endpoint of the contract that this server answers."""

from enum import Enum

from msgspec import Struct

from upspace.wire import accounts, relations
from upspace.wire.envelope import SUCCESS_MESSAGE


class Login(Enum):
    """Whether an anonymous viewer is refused with -101."""

    OPEN = "open"
    LISTS = "lists"  # where the profile sets `lists_need_login`
    REQUIRED = "required"


class Endpoint(Struct, frozen=True, kw_only=True):
    """One endpoint. `paths` are the path and its aliases; `replies` are the types `data` may have,
    `message` is what a success says."""

    name: str
    method: str = "GET"
    paths: tuple[str, ...]
    parameters: type[Struct] = accounts.Empty
    replies: tuple[type[Struct], ...]
    login: Login = Login.OPEN
    message: str = SUCCESS_MESSAGE
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
)
