"""Handlers of groups (contract, section 8.3)."""

from collections.abc import Sequence

from upspace.model import Group, Listing, Viewer
from upspace.relations import groups as rules
from upspace.relations.paging import optional_window, page_window
from upspace.server.service import Service
from upspace.wire import groups as wire
from upspace.wire.accounts import Empty
from upspace.wire.codes import (
    GROUP_ALL,
    GROUP_DEFAULT,
    GROUP_NAME_DEFAULT,
    GROUP_NAME_SPECIAL,
    GROUP_SPECIAL,
)
from upspace.wire.errors import UnknownGroupError
from upspace.wire.relations import OptionalPageParameters

_SPECIAL_TIP = "第一时间收到该分组下用户更新稿件的通知"
_DEFAULT_PS = 20


async def groups(service: Service, viewer: Viewer, parameters: Empty) -> list[wire.GroupReply]:
    """The viewer's groups: the two built-in ones, then its own by age."""
    counts = await service.store.group_counts(viewer.mid)
    own = await service.store.groups(viewer.mid)
    return [
        wire.GroupReply(GROUP_SPECIAL, GROUP_NAME_SPECIAL, counts.get(GROUP_SPECIAL, 0), _SPECIAL_TIP),
        wire.GroupReply(GROUP_DEFAULT, GROUP_NAME_DEFAULT, counts.get(GROUP_DEFAULT, 0), ""),
        *(wire.GroupReply(group.id, group.name, counts.get(group.id, 0), "") for group in own),
    ]


async def group_members(service: Service, viewer: Viewer, parameters: wire.GroupParameters) -> list[wire.GroupItem]:
    """A page of the members of a group, newest first."""
    group_id = parameters.tagid
    if group_id not in (GROUP_SPECIAL, GROUP_DEFAULT, GROUP_ALL):
        rules.check_own_group(await service.store.groups(viewer.mid), group_id)
    window = page_window(parameters.pn, parameters.ps or _DEFAULT_PS)
    special_first = parameters.order_type
    if group_id == GROUP_ALL:
        mids = (await service.store.followings(viewer.mid, window, special_first)).mids
    else:
        mids = (await service.store.group_members(viewer.mid, group_id, window, special_first)).mids
    accounts = await service.store.accounts(mids)
    return [service.renderer.group_item(mid, accounts.get(mid)) for mid in mids]


async def groups_of(service: Service, viewer: Viewer, parameters: wire.MemberParameters) -> dict[str, str]:
    """The names of the groups that a followed account is in, by id."""
    relations = await service.store.relations(viewer.mid, (parameters.fid,))
    if not rules.is_followed(relations, parameters.fid):
        return {}
    names = {GROUP_SPECIAL: GROUP_NAME_SPECIAL}
    names |= {group.id: group.name for group in await service.store.groups(viewer.mid)}
    return {str(group_id): names[group_id] for group_id in relations[parameters.fid].groups if group_id in names}


async def special(service: Service, viewer: Viewer, parameters: OptionalPageParameters) -> list[int]:
    """The viewer's special accounts, newest first."""
    window = optional_window(parameters.pn, parameters.ps)
    members: Listing = await service.store.group_members(viewer.mid, GROUP_SPECIAL, window)
    return members.mids


async def create_group(service: Service, viewer: Viewer, parameters: wire.CreateGroupParameters) -> wire.CreatedGroup:
    """Make a group."""
    name = rules.read_group_name(parameters.tag)

    def decide(existing: Sequence[Group]) -> str:
        rules.check_new_group(existing, name, service.quotas)
        return name

    return wire.CreatedGroup(await service.store.create_group(viewer.mid, decide))


async def rename_group(service: Service, viewer: Viewer, parameters: wire.RenameGroupParameters) -> None:
    """Give a group another name."""

    def decide(existing: Sequence[Group]) -> str:
        return rules.check_renamed_group(existing, parameters.tagid, parameters.name)

    await service.store.rename_group(viewer.mid, parameters.tagid, decide)


async def delete_group(service: Service, viewer: Viewer, parameters: wire.DeleteGroupParameters) -> None:
    """Delete a group; its members stay followed."""
    if not await service.store.delete_group(viewer.mid, parameters.tagid):
        raise UnknownGroupError


async def set_members(service: Service, viewer: Viewer, parameters: wire.MembersParameters) -> None:
    """Set the groups of accounts to exactly those given."""
    fids, group_ids = parameters.fids, parameters.tagids
    await service.store.change_members(viewer.mid, fids, lambda found: rules.set_groups(found, fids, group_ids))


async def copy_members(service: Service, viewer: Viewer, parameters: wire.MembersParameters) -> None:
    """Add accounts to groups."""
    fids, group_ids = parameters.fids, parameters.tagids
    await service.store.change_members(viewer.mid, fids, lambda found: rules.add_groups(found, fids, group_ids))


async def move_members(service: Service, viewer: Viewer, parameters: wire.MoveMembersParameters) -> None:
    """Take accounts out of groups and put them into others."""
    fids, before, after = parameters.fids, parameters.beforeTagids, parameters.afterTagids
    await service.store.change_members(viewer.mid, fids, lambda found: rules.move_groups(found, fids, before, after))
