"""The state machine of a pair (contract, section 8.1): what each act does to it, or the refusal.

The stored counters decide about limits, so an account in mode `reported` is measured by what it reports.
"""

from msgspec.structs import replace

from upspace.model import AccountState, Change, Pair, Relation
from upspace.wire import codes
from upspace.wire.errors import (
    AlreadyBlockedError,
    AlreadyRelatedError,
    BadRequestError,
    BlockedByTargetError,
    TargetBlockedError,
    TargetDeletedError,
    TooManyBlacksError,
    TooManyFollowingsError,
    UnknownAccountError,
)
from upspace.wire.profiles import Quotas


def modify(pair: Pair, act: int, now: int, re_src: int, quotas: Quotas) -> Change:
    """The pair after its owner acts on the target; `now` in unix seconds. An act without effect changes nothing.

    Raises UnknownAccountError, BadRequestError for what is no act, and what the table of 8.1 names.
    """
    if pair.target is None:
        raise UnknownAccountError
    new = Relation(pair.mid, pair.fid, codes.ATTRIBUTE_NONE, now, re_src=re_src)
    match act:
        case codes.ACT_FOLLOW:
            return _follow(pair, new, quotas)
        case codes.ACT_UNFOLLOW:
            return _unfollow(pair)
        case codes.ACT_WHISPER:
            return _whisper(pair, new, quotas)
        case codes.ACT_UNWHISPER:
            return _without(pair, codes.ATTRIBUTE_WHISPER)
        case codes.ACT_BLOCK:
            return _block(pair, new, quotas)
        case codes.ACT_UNBLOCK:
            return _without(pair, codes.ATTRIBUTE_BLACK)
        case codes.ACT_REMOVE_FOLLOWER:
            return _remove_follower(pair)
        case _:
            raise BadRequestError(f"there is no act {act}")


def _follow(pair: Pair, new: Relation, quotas: Quotas) -> Change:
    forward, backward = pair.forward, pair.backward
    _check_may_follow(pair, quotas, already=codes.ATTRIBUTES_OF_FOLLOWS)
    groups = forward.groups if forward else ()
    if backward is None or backward.attribute != codes.ATTRIBUTE_FOLLOWING:
        return Change(replace(new, attribute=codes.ATTRIBUTE_FOLLOWING, groups=groups), backward)
    return Change(
        replace(new, attribute=codes.ATTRIBUTE_MUTUAL, groups=groups),
        replace(backward, attribute=codes.ATTRIBUTE_MUTUAL, mtime=new.mtime),
    )


def _unfollow(pair: Pair) -> Change:
    if pair.forward is None or pair.forward.attribute not in codes.ATTRIBUTES_OF_FOLLOWS:
        return _as_it_is(pair)
    return Change(None, _no_longer_mutual(pair.backward))


def _whisper(pair: Pair, new: Relation, quotas: Quotas) -> Change:
    _check_may_follow(pair, quotas, already=(codes.ATTRIBUTE_WHISPER,))
    groups = pair.forward.groups if pair.forward else ()
    return Change(replace(new, attribute=codes.ATTRIBUTE_WHISPER, groups=groups), _no_longer_mutual(pair.backward))


def _block(pair: Pair, new: Relation, quotas: Quotas) -> Change:
    _check_not_deleted(pair)
    if pair.forward is not None and pair.forward.attribute == codes.ATTRIBUTE_BLACK:
        raise AlreadyBlockedError
    if pair.owner is not None and pair.owner.black >= quotas.max_blacks:
        raise TooManyBlacksError
    backward = pair.backward
    if backward is not None and backward.attribute != codes.ATTRIBUTE_BLACK:
        backward = None
    return Change(replace(new, attribute=codes.ATTRIBUTE_BLACK), backward)


def _remove_follower(pair: Pair) -> Change:
    if pair.backward is None or pair.backward.attribute == codes.ATTRIBUTE_BLACK:
        return _as_it_is(pair)
    return Change(_no_longer_mutual(pair.forward), None)


def _check_may_follow(pair: Pair, quotas: Quotas, already: tuple[int, ...]) -> None:
    """The refusals that follow and whisper share, in their order."""
    _check_not_deleted(pair)
    forward, backward, owner = pair.forward, pair.backward, pair.owner
    if forward is not None and forward.attribute == codes.ATTRIBUTE_BLACK:
        raise TargetBlockedError
    if backward is not None and backward.attribute == codes.ATTRIBUTE_BLACK:
        raise BlockedByTargetError
    if forward is not None and forward.attribute in already:
        raise AlreadyRelatedError
    # A conversion between the two kinds does not change their number.
    if forward is None and owner is not None and owner.following + owner.whisper >= quotas.max_followings:
        raise TooManyFollowingsError


def _check_not_deleted(pair: Pair) -> None:
    if pair.target is not None and pair.target.state is AccountState.DELETED:
        raise TargetDeletedError


def _no_longer_mutual(relation: Relation | None) -> Relation | None:
    """The side that remains when mutuality ends; it keeps its mtime."""
    if relation is None or relation.attribute != codes.ATTRIBUTE_MUTUAL:
        return relation
    return replace(relation, attribute=codes.ATTRIBUTE_FOLLOWING)


def _without(pair: Pair, attribute: int) -> Change:
    """The pair with the owner's side removed, if it is of that kind."""
    if pair.forward is None or pair.forward.attribute != attribute:
        return _as_it_is(pair)
    return Change(None, pair.backward)


def _as_it_is(pair: Pair) -> Change:
    return Change(pair.forward, pair.backward)
