"""The peer: what a user would write instead, FastAPI with SQLAlchemy's async ORM, and aiosqlite or asyncpg.

    PEER_DATABASE=sqlite+aiosqlite:///store.db uvicorn --app-dir benchmarks peer_fastapi:app

It answers the six endpoints for anonymous viewers out of the same rows as upspace. It is written as the
manuals of its libraries show it: pydantic models as return types, a session by Depends, select() with
relationships. It leaves out credentials, JSONP and behaviour profiles, which upspace looks at in every request.
"""

import os
from typing import Annotated

import peer_replies as replies
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from peer_database import Session
from peer_tables import Account, Follower, Relation, Standing, Upstat
from sqlalchemy import select
from sqlalchemy.orm import joinedload

SUSPENDED = 1
PAGES_SHOWN = 5
DELETED_NAME = "账号已注销"
PUBLIC_URL = os.environ.get("PEER_PUBLIC_URL", "")

Mid = Annotated[int, Query(ge=1, le=2**63 - 1)]
PageSize = Annotated[int, Query(ge=1, le=50)]

app = FastAPI()


class Refusal(Exception):  # noqa: N818  # what it is called on the wire
    """A reply with a code that is not 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


NOT_FOUND = Refusal(-404, "啥都木有")
PAGE_TOO_DEEP = Refusal(22007, "限制只访问前5页")
FOLLOWINGS_HIDDEN = Refusal(22115, "用户已设置隐私，无法查看")
FOLLOWERS_HIDDEN = Refusal(22118, "由于该用户隐私设置，粉丝列表不可见")


@app.exception_handler(Refusal)
async def refuse(_: Request, refusal: Refusal) -> JSONResponse:
    return JSONResponse({"code": refusal.code, "message": refusal.message, "ttl": 1})


@app.exception_handler(RequestValidationError)
async def refuse_parameters(_: Request, __: RequestValidationError) -> JSONResponse:
    return JSONResponse({"code": -400, "message": "请求错误", "ttl": 1})


@app.get("/x/space/acc/info")
async def acc_info(mid: Mid, session: Session) -> replies.Envelope[replies.AccInfo]:
    account = await session.get(Account, mid, options=[joinedload(Account.standing)])
    if account is None:
        raise NOT_FOUND
    shown = replies.Decorations(**(account.decorations or {}))
    data = replies.AccInfo(
        mid=account.mid,
        name=account.name,
        sex=account.sex,
        face=face_of(account),
        face_nft=account.face_nft,
        sign=account.sign,
        rank=account.rank,
        level=account.level,
        silence=int(account.standing.state == SUSPENDED),
        fans_badge=shown.fans_badge,
        fans_medal=shown.fans_medal,
        official=replies.Official(**(account.official or {})),
        vip=replies.Vip(**(account.vip or {})),
        pendant=shown.pendant,
        nameplate=shown.nameplate,
        user_honour_info=shown.user_honour_info,
        top_photo=shown.top_photo,
        sys_notice=shown.sys_notice,
        live_room=shown.live_room,
        birthday="" if account.standing.hides_birthday else account.birthday,
        school=shown.school,
        profession=shown.profession,
        tags=shown.tags,
        series=shown.series,
        is_senior_member=account.is_senior_member,
    )
    return replies.Envelope(data=data)


@app.get("/x/web-interface/card")
async def card(mid: Mid, session: Session, photo: bool = False) -> replies.Envelope[replies.Card]:
    account = await session.get(Account, mid, options=[joinedload(Account.standing), joinedload(Account.upstat)])
    if account is None:
        raise NOT_FOUND
    standing, upstat = account.standing, account.upstat
    shown = replies.Decorations(**(account.decorations or {}))
    official = replies.Official(**(account.official or {}))
    vip = replies.Vip(**(account.vip or {}))
    data = replies.Card(
        card=replies.CardAccount(
            mid=str(account.mid),
            name=account.name,
            sex=account.sex,
            rank=str(account.rank),
            face=face_of(account),
            face_nft=account.face_nft,
            spacesta=-2 if standing.state == SUSPENDED else 0,
            fans=standing.follower,
            friend=standing.following,
            attention=standing.following,
            sign=account.sign,
            level_info=replies.LevelInfo(current_level=account.level),
            pendant=shown.pendant,
            nameplate=shown.nameplate,
            official=official,
            official_verify=replies.OfficialVerify(type=official.type, desc=official.title),
            vip=replies.CardVip(**vip.model_dump(), vipType=vip.type, vipStatus=vip.status),
            is_senior_member=account.is_senior_member,
        ),
        space=replies.Space(s_img=shown.top_photo_small, l_img=shown.top_photo) if photo else None,
        archive_count=upstat.archive_count if upstat else 0,
        article_count=upstat.article_count if upstat else 0,
        follower=standing.follower,
        like_num=upstat.likes if upstat else 0,
    )
    return replies.Envelope(data=data)


@app.get("/x/space/upstat")
async def upstat(mid: Mid, session: Session) -> replies.Envelope[replies.Upstat]:
    totals = await session.get(Upstat, mid)
    data = replies.Upstat(
        archive=replies.View(view=totals.archive_view if totals else 0),
        article=replies.View(view=totals.article_view if totals else 0),
        likes=totals.likes if totals else 0,
    )
    return replies.Envelope(data=data)


@app.get("/x/relation/stat")
async def relation_stat(vmid: Mid, session: Session) -> replies.Envelope[replies.RelationStat]:
    standing = await session.get(Standing, vmid)
    data = replies.RelationStat(
        mid=vmid,
        following=standing.following if standing else 0,
        follower=standing.follower if standing else 0,
    )
    return replies.Envelope(data=data)


@app.get("/x/relation/followers")
async def followers(
    vmid: Mid, session: Session, pn: int = 1, ps: PageSize = 20
) -> replies.Envelope[replies.RelationList]:
    standing = await session.get(Standing, vmid)
    if standing and standing.hides_followers:
        raise FOLLOWERS_HIDDEN
    if pn > PAGES_SHOWN:
        raise PAGE_TOO_DEEP
    rows = await session.scalars(
        select(Follower)
        .where(Follower.owner == vmid)
        .options(joinedload(Follower.account))
        .order_by(Follower.mtime.desc(), Follower.other.desc())
        .limit(ps)
        .offset((pn - 1) * ps)
    )
    items = [relation_item(row) for row in rows]
    return replies.Envelope(data=replies.RelationList(items=items, total=standing.follower if standing else 0))


@app.get("/x/relation/followings")
async def followings(
    vmid: Mid, session: Session, pn: int = 1, ps: PageSize = 20
) -> replies.Envelope[replies.RelationList]:
    standing = await session.get(Standing, vmid)
    if standing and standing.hides_followings:
        raise FOLLOWINGS_HIDDEN
    if pn > PAGES_SHOWN:
        raise PAGE_TOO_DEEP
    rows = await session.scalars(
        select(Relation)
        .where(Relation.owner == vmid, Relation.attribute == 2)
        .options(joinedload(Relation.account))
        .order_by(Relation.mtime.desc(), Relation.other.desc())
        .limit(ps)
        .offset((pn - 1) * ps)
    )
    items = [relation_item(row) for row in rows]
    return replies.Envelope(data=replies.RelationList(items=items, total=standing.following if standing else 0))


def face_of(account: Account) -> str:
    """The avatar of an account, the generated one if it has none."""
    return account.face or default_face(account.mid)


def default_face(mid: int) -> str:
    """The generated avatar."""
    return f"{PUBLIC_URL}/-/faces/{mid}.svg"


def relation_item(row: Follower | Relation) -> replies.RelationItem:
    """One element of a list."""
    account = row.account
    official = replies.Official(**((account and account.official) or {}))
    vip = replies.Vip(**((account and account.vip) or {}))
    return replies.RelationItem(
        mid=row.other,
        mtime=row.mtime,
        uname=account.name if account else DELETED_NAME,
        face=face_of(account) if account else default_face(0),
        sign=account.sign if account else "",
        face_nft=account.face_nft if account else 0,
        official_verify=replies.OfficialVerify(type=official.type, desc=official.title),
        vip=replies.RelationVip(
            vipType=vip.type,
            vipDueDate=vip.due_date,
            vipStatus=vip.status,
            themeType=vip.theme_type,
            label=vip.label,
            avatar_subscript=vip.avatar_subscript,
            nickname_color=vip.nickname_color,
            avatar_subscript_url=vip.avatar_subscript_url,
        ),
        nft_icon=account.nft_icon if account else "",
    )
