"""Handlers of relations: counters and lists (contract, sections 6.4 to 6.6, 7 and 9)."""

from operator import attrgetter

from upspace.model import Listed, Listing, ListOwner, Page, Viewer, Window
from upspace.relations.paging import cursor_window, optional_window, page_window
from upspace.relations.visibility import ListKind, check_visible, visible_rows
from upspace.server.kept import Shown
from upspace.server.render import DELETED_NAME
from upspace.server.service import Service, kept
from upspace.wire import relations as wire
from upspace.wire.codes import ATTRIBUTE_NONE, PS_MAX
from upspace.wire.splice import encode_list

_VMID = attrgetter("vmid")


async def relation_stat(service: Service, viewer: Viewer | None, parameters: wire.StatParameters) -> wire.RelationStat:
    """Counters of an account; zeros if it is not known, whispers and blocks for itself only. Contract: 6.4."""
    vmid = parameters.vmid
    counters = await service.store.counters(vmid)
    if counters is None:
        return wire.RelationStat(vmid, 0, 0, 0, 0)
    if viewer is not None and viewer.mid == vmid:
        return wire.RelationStat(vmid, counters.following, counters.whisper, counters.black, counters.follower)
    return wire.RelationStat(vmid, counters.following, 0, 0, counters.follower)


@kept(_VMID)
async def followers(service: Service, viewer: Viewer | None, parameters: wire.FollowersParameters) -> Shown:
    """A page of the accounts that follow an account. Contract: 6.5."""
    vmid, behaviour = parameters.vmid, service.behaviour
    own = viewer is not None and viewer.mid == vmid
    ps = parameters.ps or behaviour.default_ps
    rows = visible_rows(ListKind.FOLLOWERS, own, behaviour, ps)
    page = await service.store.followers(vmid, page_window(parameters.pn, ps, parameters.order, rows))
    check_visible(ListKind.FOLLOWERS, own, behaviour, page.owner, parameters.pn)
    items = await _items(service, viewer, own, page)
    return Shown(encode_list(items, total=page.owner.follower), page.mids)


@kept(_VMID)
async def followings(service: Service, viewer: Viewer | None, parameters: wire.FollowingsParameters) -> Shown:
    """A page of the accounts that an account follows. Contract: 6.6."""
    vmid, behaviour = parameters.vmid, service.behaviour
    own = viewer is not None and viewer.mid == vmid
    ps = parameters.ps or behaviour.default_ps
    rows = visible_rows(ListKind.FOLLOWINGS, own, behaviour, ps)
    window = page_window(parameters.pn, ps, parameters.order, rows)
    page = await service.store.followings(vmid, window, own and parameters.order_type)
    check_visible(ListKind.FOLLOWINGS, own, behaviour, page.owner, parameters.pn)
    items = await _items(service, viewer, own, page)
    return Shown(encode_list(items, total=page.owner.following), page.mids)


@kept(_VMID)
async def fans(service: Service, viewer: Viewer | None, parameters: wire.FansParameters) -> Shown:
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
    check_visible(ListKind.FANS, own, behaviour, page.owner, pn)
    items = await _items(service, viewer, own, page)
    cursor = f"{page.mtimes[-1]}:{page.mids[-1]}" if page.mids else ""
    return Shown(encode_list(items, total=page.owner.follower, offset=cursor), page.mids)


async def search_followings(service: Service, viewer: Viewer | None, parameters: wire.SearchParameters) -> bytes:
    """Followings by a part of their names, newest first. Contract: 7."""
    vmid, behaviour = parameters.vmid, service.behaviour
    own = viewer is not None and viewer.mid == vmid
    ps = parameters.ps or PS_MAX
    await _check_followings_visible(service, own, vmid, parameters.pn)
    window = page_window(parameters.pn, ps, rows=visible_rows(ListKind.FOLLOWINGS, own, behaviour, ps))
    nameless = parameters.name.casefold() in DELETED_NAME.casefold()
    found = await service.store.search_followings(vmid, parameters.name, nameless, window)
    return encode_list(await _items(service, viewer, own, found), total=found.total, re_version=False)


async def same_followings(service: Service, viewer: Viewer, parameters: wire.SameParameters) -> bytes:
    """Whom the viewer and an account both follow, newest first. Contract: 7."""
    vmid, window = parameters.vmid, page_window(parameters.pn, parameters.ps or PS_MAX)
    own = viewer.mid == vmid
    if own:
        page = await service.store.followings(vmid, window)
        return encode_list(await _items(service, viewer, own, page), total=page.owner.following)
    await _check_followings_visible(service, own, vmid, None)
    same = await service.store.same_followings(viewer.mid, vmid, window)
    return encode_list(await _items(service, viewer, own, same), total=same.total)


async def whispers(service: Service, viewer: Viewer, parameters: wire.PageParameters) -> bytes:
    """Whom the viewer follows in secret, newest first. Contract: 7."""
    page = await service.store.whispers(viewer.mid, page_window(parameters.pn, parameters.ps or PS_MAX))
    return encode_list(await _items(service, viewer, True, page))


async def friends(service: Service, viewer: Viewer, parameters: wire.OptionalPageParameters) -> bytes:
    """Whom the viewer follows and is followed by, newest first. Contract: 7."""
    page = await service.store.friends(viewer.mid, optional_window(parameters.pn, parameters.ps))
    return encode_list(await _items(service, viewer, True, page))


async def blacks(service: Service, viewer: Viewer, parameters: wire.PageParameters) -> bytes:
    """Whom the viewer has blocked, newest first. Contract: 7."""
    page = await service.store.blacks(viewer.mid, page_window(parameters.pn, parameters.ps or PS_MAX))
    return encode_list(await _items(service, viewer, False, page), total=page.total)


async def _check_followings_visible(service: Service, own: bool, vmid: int, pn: int | None) -> None:
    standing = await service.store.standing(vmid)
    owner = ListOwner(hides_followings=standing is not None and standing.hides_followings)
    check_visible(ListKind.FOLLOWINGS, own, service.behaviour, owner, pn)


async def _window_after(service: Service, vmid: int, after: Listed, ps: int, rows: int | None) -> Window:
    rank = 0 if rows is None else await service.store.followers_rank(vmid, after, rows)
    return cursor_window(after, ps, rank, rows)


async def _items(service: Service, viewer: Viewer | None, own: bool, page: Page | Listing) -> list[bytes]:
    """The items of a list: the viewer's relation to each, groups in an own list only."""
    accounts = await service.accounts.many(page.mids, page.newest_change)
    if viewer is None:
        return service.items.strangers(page.mids, page.mtimes, accounts)
    relations = await service.store.relations(viewer.mid, page.mids)
    items: list[bytes] = []
    for mid, mtime, account in zip(page.mids, page.mtimes, accounts, strict=True):
        relation = relations.get(mid)
        attribute = relation.attribute if relation else ATTRIBUTE_NONE
        groups = relation.groups if relation and own else ()
        items.append(service.items.item(mid, attribute, mtime, groups, account))
    return items
