"""Handlers of relations: counters and lists (contract, sections 6.4 to 6.6 and 9)."""

from upspace.model import Listed, Page, Viewer, Window
from upspace.relations.paging import cursor_window, page_window
from upspace.relations.visibility import ListKind, check_visible, visible_rows
from upspace.server.service import Service
from upspace.wire import relations as wire
from upspace.wire.codes import ATTRIBUTE_NONE

_SPECIAL_FIRST = "attention"


async def relation_stat(service: Service, viewer: Viewer | None, parameters: wire.StatParameters) -> wire.RelationStat:
    """Counters of an account; zeros if it is not known, whispers and blocks for itself only. Contract: 6.4."""
    vmid = parameters.vmid
    standing = await service.store.standing(vmid)
    if standing is None:
        return wire.RelationStat(vmid, 0, 0, 0, 0)
    if viewer is not None and viewer.mid == vmid:
        return wire.RelationStat(vmid, standing.following, standing.whisper, standing.black, standing.follower)
    return wire.RelationStat(vmid, standing.following, 0, 0, standing.follower)


async def followers(service: Service, viewer: Viewer | None, parameters: wire.FollowersParameters) -> bytes:
    """A page of the accounts that follow an account. Contract: 6.5."""
    vmid, behaviour = parameters.vmid, service.behaviour
    own = viewer is not None and viewer.mid == vmid
    ps = parameters.ps or behaviour.default_ps
    rows = visible_rows(ListKind.FOLLOWERS, own, behaviour, ps)
    page = await service.store.followers(vmid, page_window(parameters.pn, ps, parameters.order, rows))
    check_visible(ListKind.FOLLOWERS, own, behaviour, page.standing, parameters.pn)
    items = await _items(service, viewer, own, page)
    return wire.encode_list(items, page.standing.follower if page.standing else 0)


async def followings(service: Service, viewer: Viewer | None, parameters: wire.FollowingsParameters) -> bytes:
    """A page of the accounts that an account follows. Contract: 6.6."""
    vmid, behaviour = parameters.vmid, service.behaviour
    own = viewer is not None and viewer.mid == vmid
    ps = parameters.ps or behaviour.default_ps
    rows = visible_rows(ListKind.FOLLOWINGS, own, behaviour, ps)
    window = page_window(parameters.pn, ps, parameters.order, rows)
    page = await service.store.followings(vmid, window, own and parameters.order_type == _SPECIAL_FIRST)
    check_visible(ListKind.FOLLOWINGS, own, behaviour, page.standing, parameters.pn)
    items = await _items(service, viewer, own, page)
    return wire.encode_list(items, page.standing.following if page.standing else 0)


async def fans(service: Service, viewer: Viewer | None, parameters: wire.FansParameters) -> bytes:
    """Followers, newest first, by page or after a cursor. Contract: 9."""
    vmid, behaviour = parameters.vmid, service.behaviour
    own = viewer is not None and viewer.mid == vmid
    ps = parameters.ps or behaviour.default_ps
    if parameters.offset is None:
        pn: int | None = parameters.pn
        window = page_window(parameters.pn, ps, rows=visible_rows(ListKind.FANS, own, behaviour, ps))
    else:
        pn = None
        after = Listed(parameters.offset.mid, parameters.offset.mtime)
        window = await _window_after(service, vmid, after, ps, visible_rows(ListKind.FANS, own, behaviour, None))
    page = await service.store.followers(vmid, window)
    check_visible(ListKind.FANS, own, behaviour, page.standing, pn)
    items = await _items(service, viewer, own, page)
    cursor = f"{page.mtimes[-1]}:{page.mids[-1]}" if page.mids else ""
    return wire.encode_list(items, page.standing.follower if page.standing else 0, cursor)


async def _window_after(service: Service, vmid: int, after: Listed, ps: int, rows: int | None) -> Window:
    rank = 0 if rows is None else await service.store.followers_rank(vmid, after, rows)
    return cursor_window(after, ps, rank, rows)


async def _items(service: Service, viewer: Viewer | None, own: bool, page: Page) -> list[bytes]:
    """The parts of the items of a list: the viewer's relation to each, groups in an own list only."""
    accounts = await service.item_accounts.encoded(page.mids, page.newest_change)
    if viewer is None:
        return service.items.strangers(page.mids, page.mtimes, accounts)
    relations = await service.store.relations(viewer.mid, page.mids)
    parts: list[bytes] = []
    for mid, mtime, account in zip(page.mids, page.mtimes, accounts, strict=True):
        relation = relations.get(mid)
        attribute = relation.attribute if relation else ATTRIBUTE_NONE
        groups = relation.groups if relation and own else ()
        parts += service.items.item(mid, attribute, mtime, groups, account)
    return parts
