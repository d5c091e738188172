"""Handlers of one account: acc/info, card, upstat, nav, myinfo (contract, sections 6.1 to 6.3 and 10)."""

from msgspec import UNSET
from msgspec.structs import asdict, replace

from upspace.model import Account, AccountState, Standing, Viewer
from upspace.server.render import card_vip, decorations, official, official_verify, vip, vip_status
from upspace.server.service import Service
from upspace.wire import accounts as wire
from upspace.wire.codes import (
    ATTRIBUTE_BLACK,
    SPACESTA_NORMAL,
    SPACESTA_SUSPENDED,
)
from upspace.wire.errors import NotFoundError, NotSignedInError

_WBI_IMAGES = wire.WbiImages(
    img_url="https://upspace.invalid/wbi/7570737061636520706c616365686f6c.png",
    sub_url="https://upspace.invalid/wbi/64657220666f7220636c69656e747321.png",
)
_FINGERPRINTS = wire.Fingerprints(
    b_3="00000000-0000-4000-8000-000000000003infoc", b_4="00000000-0000-4000-8000-000000000004"
)
_NO_UPSTAT = wire.UpstatReply(wire.View(0), wire.View(0), 0)


async def acc_info(service: Service, viewer: Viewer | None, parameters: wire.MidParameters) -> wire.AccInfo:
    """What is shown of an account on its page. Contract: 6.1."""
    found = await service.store.account(parameters.mid)
    if found is None:
        raise NotFoundError
    followed = await _is_followed(service, viewer, parameters.mid)
    return _acc_info(service, viewer, *found, followed)


async def myinfo(service: Service, viewer: Viewer, parameters: wire.Empty) -> wire.MyInfo:
    """acc/info of the viewer, and the viewer's own counters. Contract: 10."""
    found = await service.store.account(viewer.mid)
    if found is None:
        raise NotFoundError
    standing = found[1]
    info = _acc_info(service, viewer, *found, followed=False)
    return wire.MyInfo(**asdict(info), following=standing.following, follower=standing.follower)


async def card(service: Service, viewer: Viewer | None, parameters: wire.CardParameters) -> wire.Card:
    """An account in short, with its counters. Contract: 6.2."""
    profile = await service.store.profile(parameters.mid)
    if profile is None:
        raise NotFoundError
    account, standing, upstat = profile.account, profile.standing, profile.upstat
    shown = decorations(account.decorations, False)
    return wire.Card(
        card=wire.CardAccount(
            mid=str(account.mid),
            name=account.name,
            sex=account.sex,
            rank=str(account.rank),
            face=service.renderer.face(account),
            face_nft=account.face_nft,
            spacesta=SPACESTA_SUSPENDED if standing.state is AccountState.SUSPENDED else SPACESTA_NORMAL,
            fans=standing.follower,
            friend=standing.following,
            attention=standing.following,
            sign=account.sign,
            level_info=wire.LevelInfo(account.level),
            pendant=shown.pendant,
            nameplate=shown.nameplate,
            official=official(account.official),
            official_verify=official_verify(account.official),
            vip=card_vip(account.vip),
            is_senior_member=account.is_senior_member,
        ),
        space=wire.Space(s_img=shown.top_photo_small, l_img=shown.top_photo) if parameters.photo else UNSET,
        following=await _is_followed(service, viewer, account.mid),
        archive_count=upstat.archive_count,
        article_count=upstat.article_count,
        follower=standing.follower,
        like_num=upstat.likes,
    )


async def upstat(
    service: Service, viewer: Viewer | None, parameters: wire.MidParameters
) -> wire.UpstatReply | wire.Empty:
    """Plays, reads and likes of an uploader; zeros for an account that is not known. Contract: 6.3."""
    if viewer is None and service.behaviour.upstat_needs_login:
        return wire.Empty()
    totals = await service.store.upstat(parameters.mid)
    if totals is None:
        return _NO_UPSTAT
    return wire.UpstatReply(wire.View(totals.archive_view), wire.View(totals.article_view), totals.likes)


async def nav(service: Service, viewer: Viewer | None, parameters: wire.Empty) -> wire.Nav:
    """Who is logged in; for an anonymous viewer -101 with data. Contract: 10."""
    found = None if viewer is None else await service.store.account(viewer.mid)
    if found is None:
        raise NotSignedInError(data=wire.NavAnonymous(isLogin=False, wbi_img=_WBI_IMAGES))
    account = found[0]
    return wire.Nav(
        isLogin=True,
        mid=account.mid,
        uname=account.name,
        face=service.renderer.face(account),
        vipStatus=vip_status(account.vip),
        level_info=wire.NavLevel(account.level),
        wbi_img=_WBI_IMAGES,
    )


async def finger_spi(service: Service, viewer: Viewer | None, parameters: wire.Empty) -> wire.Fingerprints:
    """Fixed placeholders. Contract: 10."""
    return _FINGERPRINTS


async def ex_climb_wuzhi(service: Service, viewer: Viewer | None, parameters: wire.Empty) -> wire.Empty:
    """Accepts what clients report, without a look at it. Contract: 10."""
    return wire.Empty()


async def _is_followed(service: Service, viewer: Viewer | None, mid: int) -> bool:
    """Whether the viewer's relation to the account is whisper, following or mutual."""
    if viewer is None or viewer.mid == mid:
        return False
    relation = (await service.store.relations(viewer.mid, (mid,))).get(mid)
    return relation is not None and relation.attribute != ATTRIBUTE_BLACK


def _acc_info(
    service: Service, viewer: Viewer | None, account: Account, standing: Standing, followed: bool
) -> wire.AccInfo:
    recent = service.behaviour.acc_info_recent_fields
    own = viewer is not None and viewer.mid == account.mid
    shown = decorations(account.decorations, recent)
    info = wire.AccInfo(
        mid=account.mid,
        name=account.name,
        sex=account.sex,
        face=service.renderer.face(account),
        face_nft=account.face_nft,
        sign=account.sign,
        rank=account.rank,
        level=account.level,
        silence=1 if standing.state is AccountState.SUSPENDED else 0,
        coins=_number(account.coins) if own else 0,
        fans_badge=shown.fans_badge,
        fans_medal=shown.fans_medal,
        official=official(account.official),
        vip=vip(account.vip, recent),
        pendant=shown.pendant,
        nameplate=shown.nameplate,
        user_honour_info=shown.user_honour_info,
        is_followed=followed,
        top_photo=shown.top_photo,
        sys_notice=shown.sys_notice,
        live_room=shown.live_room,
        birthday="" if standing.hides_birthday and not own else account.birthday,
        school=shown.school,
        profession=shown.profession,
        tags=shown.tags,
        series=shown.series,
        is_senior_member=account.is_senior_member,
    )
    if not recent:
        return info
    school = wire.School() if shown.school is None else shown.school
    return replace(info, **wire.RECENT_ACC_INFO, school=school, name_render=shown.name_render)


def _number(value: float) -> int | float:
    """A whole number without a fraction, as clients print it."""
    return int(value) if value.is_integer() else value
