"""The workloads, as data.

Shares are those of the papers, mapped to what this service has: LinkBench (Armstrong et al., SIGMOD 2013) and TAO
(Bronson et al., USENIX ATC 2013). What they leave open is decided here: half of the list reads are of followers and
half of followings; three reads in ten are made by a viewer who is signed in; half of the group and state updates
concern groups, half whispers; half of the account updates are of profiles and half of statistics; deletions are drawn
evenly.

A refusal that the contract provides for is no error where it follows from the community or from what the workload
itself does: lists that their owner hides (22115, 22118), and accounts that the workload deletes (-404 where one is
asked for, 22013 where one is followed, whispered or changed). All others are avoided: viewers are not suspended, follow
far fewer than they may, and nobody to whom they have a relation already or who has blocked them; what is unfollowed,
grouped or whispered is followed. How often each refusal was met is in the results.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from upspace.wire.errors import (
    FollowersHiddenError,
    FollowingsHiddenError,
    NotFoundError,
    TargetDeletedError,
)
from workloads.operations import Act, HotTargets, Phase, Read, Visit, Workload, Write

_HIDDEN_FOLLOWERS = frozenset({FollowersHiddenError.code})
_HIDDEN_FOLLOWINGS = frozenset({FollowingsHiddenError.code})
_GONE = frozenset({NotFoundError.code})
_DELETED = frozenset({TargetDeletedError.code})

_ACC_INFO = Read(name="acc_info", path="/x/space/acc/info", query="mid={mid}", refusals=_GONE)
_CARD = Read(name="card", path="/x/web-interface/card", query="mid={mid}&photo=1", refusals=_GONE)
_STAT = Read(name="stat", path="/x/relation/stat", query="vmid={mid}")
_UPSTAT = Read(name="upstat", path="/x/space/upstat", query="mid={mid}")
_FOLLOWERS = Read(
    name="followers", path="/x/relation/followers", query="vmid={mid}&pn={pn}&ps=50", refusals=_HIDDEN_FOLLOWERS
)
_FOLLOWINGS = Read(
    name="followings", path="/x/relation/followings", query="vmid={mid}&pn={pn}&ps=50", refusals=_HIDDEN_FOLLOWINGS
)
_FIRST_FOLLOWERS = replace(_FOLLOWERS, query="vmid={mid}&ps=20")
_FIRST_FOLLOWINGS = replace(_FOLLOWINGS, query="vmid={mid}&ps=20")
_FANS = Read(
    name="fans",
    path="/x/relation/fans",
    query="vmid={mid}&ps=20&offset={second_page}",
    refusals=_HIDDEN_FOLLOWERS,
)
_RELATION = Read(name="relation", path="/x/relation", query="fid={mid}", needs_login=True)
_RELATIONS = Read(name="relations", path="/x/relation/relations", query="fids={few_fids}", needs_login=True)
_MOSTLY_STRANGERS = replace(_RELATIONS, query="fids={mostly_strangers}", prepared=30_000)

_SPACE_PAGE = (_ACC_INFO, _CARD, _STAT, _UPSTAT, _FIRST_FOLLOWERS, _FIRST_FOLLOWINGS)

_FOLLOW = Write(name="follow", act=Act.FOLLOW, refusals=_DELETED)
_UNFOLLOW = Write(name="unfollow", act=Act.UNFOLLOW)


def _of(share: float, operation: Read) -> Read:
    return replace(operation, share=share)


_LINKBENCH = Phase(
    name="mix",
    operations=(
        _of(25.35, _FOLLOWERS),
        _of(25.35, _FOLLOWINGS),
        _of(12.9, _ACC_INFO),
        replace(_FOLLOW, share=9.0),
        Write(name="set_groups", act=Act.SET_GROUPS, share=2.0),
        Write(name="move_groups", act=Act.MOVE_GROUPS, share=2.0),
        Write(name="whisper", act=Act.WHISPER, share=2.0, refusals=_DELETED),
        Write(name="unwhisper", act=Act.UNWHISPER, share=2.0),
        Write(name="change_profile", act=Act.CHANGE_PROFILE, share=3.7, refusals=_DELETED),
        Write(name="change_statistics", act=Act.CHANGE_STATISTICS, share=3.7, refusals=_DELETED),
        _of(4.9, _STAT),
        replace(_UNFOLLOW, share=3.0),
        Write(name="add_account", act=Act.ADD_ACCOUNT, share=2.6),
        Write(name="delete_account", act=Act.DELETE_ACCOUNT, share=1.0),
        _of(0.5, _RELATIONS),
    ),
)

_TAO = Phase(
    name="mix",
    operations=(
        _of(20.45, _FIRST_FOLLOWERS),
        _of(20.45, _FIRST_FOLLOWINGS),
        _of(28.9, _ACC_INFO),
        _of(7.85, _RELATION),
        _of(7.85, _RELATIONS),
        _of(11.7, _STAT),
        _of(2.8, _FANS),
        replace(_FOLLOW, share=0.1),
        replace(_UNFOLLOW, share=0.1),
    ),
)

_HOT_READS = Phase(name="reads", operations=_SPACE_PAGE, reads_of=HotTargets(part=0.0001, share=0.9))

_HOT_FOLLOWS = Phase(name="follows", operations=(Write(name="follow", act=Act.FOLLOW_MOST_FOLLOWED),))


def _named(workloads: Iterable[Workload]) -> dict[str, Workload]:
    return {workload.name: workload for workload in workloads}


WORKLOADS = _named(
    (
        Workload(name="w1", title="LinkBench's mix", phases=(_LINKBENCH,)),
        Workload(name="w2", title="TAO's mix of reads", phases=(_TAO,)),
        Workload(
            name="w4",
            title="visits of space pages",
            phases=(Phase(name="visits", operations=(Visit(name="visit", reads=_SPACE_PAGE),)),),
        ),
        Workload(name="w5", title="hot accounts", phases=(_HOT_READS, _HOT_FOLLOWS), viewers=40_000),
        Workload(
            name="w6",
            title="relations to 20 accounts, most of them strangers",
            phases=(Phase(name="relations", operations=(_MOSTLY_STRANGERS,)),),
        ),
    )
)
"""By name. There is no w3."""
