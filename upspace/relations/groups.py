"""The rules of groups (contract, section 8.3): names, and who is in which."""

import unicodedata
from collections.abc import Mapping, Sequence

from upspace.model import Group, Membership, Relation
from upspace.wire.codes import (
    ATTRIBUTES_OF_FOLLOWS,
    GROUP_DEFAULT,
    GROUP_NAME_DEFAULT,
    GROUP_NAME_MAX,
    GROUP_NAME_SPECIAL,
    GROUP_SPECIAL,
)
from upspace.wire.errors import (
    BadRequestError,
    GroupNameCharactersError,
    GroupNameTakenError,
    GroupNameTooLongError,
    NotFollowedError,
    TooManyGroupsError,
    UnknownGroupError,
)
from upspace.wire.profiles import Quotas

_FORBIDDEN = frozenset(",<>\"'&\\")
_BUILT_IN_NAMES = (GROUP_NAME_SPECIAL, GROUP_NAME_DEFAULT)


def read_group_name(text: str) -> str:
    """A name without the white space around it.

    Raises BadRequestError if nothing is left, GroupNameCharactersError, GroupNameTooLongError.
    """
    name = text.strip()
    if not name:
        raise BadRequestError("a group needs a name")
    if any(character in _FORBIDDEN or unicodedata.category(character) == "Cc" for character in name):
        raise GroupNameCharactersError
    if len(name) > GROUP_NAME_MAX:
        raise GroupNameTooLongError
    return name


def check_new_group(groups: Sequence[Group], name: str, quotas: Quotas) -> None:
    """Raise GroupNameTakenError or TooManyGroupsError unless the owner of `groups` may add one of that name."""
    _check_name_free(groups, name)
    if len(groups) >= quotas.max_groups:
        raise TooManyGroupsError


def check_renamed_group(groups: Sequence[Group], group_id: int, text: str) -> str:
    """The name that an own group may take; its present one is allowed.

    Raises UnknownGroupError before anything that `text` itself may be refused for, then GroupNameTakenError.
    """
    check_own_group(groups, group_id)
    name = read_group_name(text)
    _check_name_free([group for group in groups if group.id != group_id], name)
    return name


def check_own_group(groups: Sequence[Group], group_id: int) -> None:
    """Raise UnknownGroupError unless the id is one of `groups`; the built-in ones are not."""
    if all(group.id != group_id for group in groups):
        raise UnknownGroupError


def _check_name_free(groups: Sequence[Group], name: str) -> None:
    if name in _BUILT_IN_NAMES or any(group.name == name for group in groups):
        raise GroupNameTakenError


def set_groups(membership: Membership, fids: Sequence[int], group_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The groups of each account, exactly `group_ids`; the default group among them empties the set.

    Raises UnknownGroupError, then NotFollowedError. So do the two functions below.
    """
    _check(membership, fids, group_ids)
    wanted = () if GROUP_DEFAULT in group_ids else _sorted(group_ids)
    return dict.fromkeys(fids, wanted)


def add_groups(membership: Membership, fids: Sequence[int], group_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The groups of each account with `group_ids` added; the default group is ignored."""
    return move_groups(membership, fids, (), group_ids)


def move_groups(
    membership: Membership, fids: Sequence[int], before_ids: Sequence[int], after_ids: Sequence[int]
) -> dict[int, tuple[int, ...]]:
    """The groups of each account without `before_ids` and with `after_ids`; the default group counts for neither."""
    _check(membership, fids, (*before_ids, *after_ids))
    removed, added = set(before_ids), set(after_ids) - {GROUP_DEFAULT}
    return {fid: _sorted((set(membership.relations[fid].groups) - removed) | added) for fid in fids}


def _check(membership: Membership, fids: Sequence[int], group_ids: Sequence[int]) -> None:
    known = {group.id for group in membership.groups} | {GROUP_SPECIAL, GROUP_DEFAULT}
    if not known.issuperset(group_ids):
        raise UnknownGroupError
    if not all(is_followed(membership.relations, fid) for fid in fids):
        raise NotFollowedError


def is_followed(relations: Mapping[int, Relation], mid: int) -> bool:
    """Whether the relation to an account is following or mutual: only those can be grouped."""
    relation = relations.get(mid)
    return relation is not None and relation.attribute in ATTRIBUTES_OF_FOLLOWS


def _sorted(group_ids: Sequence[int] | set[int]) -> tuple[int, ...]:
    return tuple(sorted(set(group_ids)))
