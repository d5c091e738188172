"""Handlers of one account: acc/info, card, upstat, nav, myinfo (contract, sections 6.1 to 6.3 and 10)."""

from operator import attrgetter

import msgspec

from upspace.model import Standing, Viewer
from upspace.server.kept import Shown
from upspace.server.render import vip_status
from upspace.server.service import Service, kept
from upspace.wire import accounts as wire
from upspace.wire.codes import ATTRIBUTE_BLACK
from upspace.wire.errors import NotFoundError, NotSignedInError

_WBI_IMAGES = wire.WbiImages(
    img_url="https://upspace.invalid/wbi/7570737061636520706c616365686f6c.png",
    sub_url="https://upspace.invalid/wbi/64657220666f7220636c69656e747321.png",
)
_FINGERPRINTS = wire.Fingerprints(
    b_3="00000000-0000-4000-8000-000000000003infoc", b_4="00000000-0000-4000-8000-000000000004"
)
_NO_UPSTAT = wire.UpstatReply(wire.View(0), wire.View(0), 0)


async def acc_info(service: Service, viewer: Viewer | None, parameters: wire.MidParameters) -> bytes:
    """What is shown of an account on its page. Contract: 6.1."""
    mid = parameters.mid
    if viewer is not None and viewer.mid == mid:
        return (await _own_info(service, viewer))[0]
    account = await service.accounts.one(mid, await service.store.newest_change())
    if account is None:
        raise NotFoundError
    face = service.renderer.face_json(mid, account)
    followed = viewer is not None and await _is_followed(service, viewer, mid)
    return service.infos.encode(mid, account, face, followed=followed)


async def myinfo(service: Service, viewer: Viewer, parameters: wire.Empty) -> bytes:
    """acc/info of the viewer, and the viewer's own counters. Contract: 10."""
    info, standing = await _own_info(service, viewer)
    return b'%b,"following":%d,"follower":%d}' % (info[:-1], standing.following, standing.follower)


@kept(attrgetter("mid"))
async def card(service: Service, viewer: Viewer | None, parameters: wire.CardParameters) -> Shown:
    """An account in short, with its counters. Contract: 6.2."""
    mid = parameters.mid
    figures = await service.store.figures(mid)
    if figures is None:
        raise NotFoundError
    account = await service.accounts.one(mid, figures.newest_change)
    if account is None:
        raise NotFoundError
    data = service.cards.encode(
        mid,
        account,
        service.renderer.face_json(mid, account),
        photo=parameters.photo,
        followed=viewer is not None and await _is_followed(service, viewer, mid),
        following=figures.following,
        follower=figures.follower,
        archive_count=figures.archive_count,
        article_count=figures.article_count,
        likes=figures.likes,
    )
    return Shown(data)


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


async def _is_followed(service: Service, viewer: Viewer, mid: int) -> bool:
    """Whether the viewer's relation to the account is whisper, following or mutual."""
    if viewer.mid == mid:
        return False
    relation = (await service.store.relations(viewer.mid, (mid,))).get(mid)
    return relation is not None and relation.attribute != ATTRIBUTE_BLACK


async def _own_info(service: Service, viewer: Viewer) -> tuple[bytes, Standing]:
    """acc/info as its own account sees it: with the balance, and the birthday even if it is hidden."""
    found = await service.store.account(viewer.mid)
    if found is None:
        raise NotFoundError
    account, standing = found
    own = service.renderer.own_account(account, standing.state)
    face, coins = service.renderer.face_json(viewer.mid, own), msgspec.json.encode(_number(account.coins))
    return service.infos.encode(viewer.mid, own, face, followed=False, coins=coins), standing


def _number(value: float) -> int | float:
    """A whole number without a fraction, as clients print it."""
    return int(value) if value.is_integer() else value
