"""Handlers of pairs: what the viewer's relation to an account is, and what the viewer does about it.

Contract, sections 7, 8.1 and 8.2.
"""

from collections.abc import Sequence
from functools import partial

from upspace.model import Relation, Viewer
from upspace.relations.modify import modify as modify_pair
from upspace.server.service import Service
from upspace.wire import accounts
from upspace.wire import relations as wire
from upspace.wire.codes import ACT_WHISPER, ATTRIBUTE_WHISPER, GROUP_SPECIAL
from upspace.wire.errors import (
    AlreadyBlockedError,
    AlreadyRelatedError,
    BadRequestError,
    ContractError,
    SelfTargetError,
)


def check_act(service: Service, parameters: wire.ModifyParameters) -> None:
    """Raise BadRequestError for a whisper where there are none. Contract: 1, `whisper_enabled`."""
    if parameters.act == ACT_WHISPER and not service.behaviour.whisper_enabled:
        raise BadRequestError("whispers are off")


async def relation(service: Service, viewer: Viewer, parameters: wire.TargetParameters) -> wire.RelationAttribute:
    """The viewer's relation to one account. Contract: 7."""
    found = await service.store.relations(viewer.mid, (parameters.fid,))
    return _attribute(parameters.fid, found.get(parameters.fid))


async def relations(
    service: Service, viewer: Viewer, parameters: wire.RelationsParameters
) -> dict[str, wire.RelationAttribute]:
    """The viewer's relations to many accounts, without those that have none. Contract: 7."""
    found = await service.store.relations(viewer.mid, parameters.fids)
    return {str(fid): _attribute(fid, found[fid]) for fid in parameters.fids if fid in found}


async def acc_relation(service: Service, viewer: Viewer, parameters: accounts.MidParameters) -> wire.MutualAttributes:
    """The relation in both directions; the target's whispers and groups are its own affair. Contract: 7."""
    mid = parameters.mid
    forward = (await service.store.relations(viewer.mid, (mid,))).get(mid)
    backward = (await service.store.relations(mid, (viewer.mid,))).get(viewer.mid)
    if backward is None or backward.attribute == ATTRIBUTE_WHISPER:
        be_relation = wire.RelationAttribute(viewer.mid)
    else:
        be_relation = wire.RelationAttribute(viewer.mid, backward.attribute, backward.mtime)
    return wire.MutualAttributes(relation=_attribute(mid, forward), be_relation=be_relation)


async def modify(service: Service, viewer: Viewer, parameters: wire.ModifyParameters) -> None:
    """Follow, whisper, block and their reverses. Contract: 8.1."""
    if parameters.fid == viewer.mid:
        raise SelfTargetError
    refused = await _modify(service, viewer, (parameters.fid,), parameters.act, parameters.re_src)
    if refused:
        raise refused[parameters.fid]


async def batch_modify(service: Service, viewer: Viewer, parameters: wire.BatchModifyParameters) -> wire.FailedBatch:
    """Follow or block many accounts, each on its own; what holds already is no failure. Contract: 8.2."""
    if viewer.mid in parameters.fids:
        raise SelfTargetError
    refused = await _modify(service, viewer, parameters.fids, parameters.act, parameters.re_src)
    failed = []
    for fid in parameters.fids:
        error = refused.get(fid)
        if error is None or isinstance(error, (AlreadyRelatedError, AlreadyBlockedError)):
            continue
        if not isinstance(error, ContractError):
            raise error
        failed.append(fid)
    return wire.FailedBatch(failed)


async def _modify(service: Service, viewer: Viewer, fids: Sequence[int], act: int, re_src: int) -> dict[int, Exception]:
    now = int(service.clock())
    rule = partial(modify_pair, act=act, now=now, re_src=re_src, quotas=service.quotas)
    return await service.store.change_relations(viewer.mid, fids, rule)


def _attribute(mid: int, found: Relation | None) -> wire.RelationAttribute:
    if found is None:
        return wire.RelationAttribute(mid)
    groups = list(found.groups) or None
    return wire.RelationAttribute(mid, found.attribute, found.mtime, groups, int(GROUP_SPECIAL in found.groups))
