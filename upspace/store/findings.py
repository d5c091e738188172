"""What a check can find wrong, in words. Every engine looks for each kind, and mends those that can be mended.

What can be mended follows from the rest: lists of followers, mutual states, derived counters, and rows that belong to
nothing. Whatever only a person can know is never touched: an account that has lost a part of itself keeps its
relations, which count as before once the part is there again.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from upspace.store.interface import Finding


class Kind(NamedTuple):
    """One kind of disagreement; `text` has the names of what a statement returns in braces, `mid` always among them."""

    name: str
    text: str
    for_a_person: bool = False

    def finding(self, values: Mapping[str, Any], *, mended: bool) -> Finding:
        """The finding with these values; `mended` says whether it has been, if it can be."""
        return Finding(
            self.name, values["mid"], self.text.format_map(values), False if self.for_a_person else mended or None
        )


_ACCOUNTS = (
    Kind(
        "strange_standing",
        "account {mid} has state {state} and counter mode {counter_mode}, but there are only states 0 to 2 and modes 0 "
        "and 1",
        for_a_person=True,
    ),
    Kind(
        "profile_missing",
        "account {mid} has lost its profile and cannot be seen: add it again with upspace account add",
        for_a_person=True,
    ),
    Kind(
        "standing_missing",
        "account {mid} has lost its state and counters and cannot be seen: add it again with upspace account add",
        for_a_person=True,
    ),
    Kind("totals_missing", "account {mid} has no totals of plays, reads and likes, not even zeros"),
    Kind("totals_of_unknown", "totals are stored for {mid}, but there is no such account"),
    Kind("token_of_unknown", "tokens are stored for {mid} ({tokens}), but there is no such account"),
    Kind("group_of_unknown", "group {group_id} belongs to {mid}, but there is no such account"),
)

_DELETED = (
    Kind("deleted_standing", "account {mid} is deleted, but has counters or privacy flags"),
    Kind("deleted_profile", "account {mid} is deleted, but its profile is still there"),
    Kind("deleted_totals", "account {mid} is deleted, but its totals are still there"),
    Kind("deleted_token", "account {mid} is deleted, but its tokens are not revoked ({tokens})"),
    Kind("deleted_relation", "account {mid} is deleted, but its relation to {other} is still there"),
    Kind("deleted_follower", "account {mid} is deleted, but {other} is still in the list of its followers"),
    Kind("deleted_group", "account {mid} is deleted, but its group {group_id} is still there"),
)

_RELATIONS = (
    Kind("relation_of_unknown", "account {mid} has a relation to {other}, but there is no account {mid}"),
    Kind("relation_to_unknown", "account {mid} has a relation to {other}, but there is no account {other}"),
    Kind("follower_of_unknown", "account {other} is in the list of followers of {mid}, but there is no account {mid}"),
    Kind(
        "strange_attribute",
        "the relation of {mid} to {other} has the attribute {attribute}, but there are only 1, 2 and 128",
        for_a_person=True,
    ),
    Kind("relation_to_itself", "account {mid} has a relation to itself", for_a_person=True),
    Kind(
        "follow_without_follower",
        "account {mid} follows {other} since {mtime}, but is not so in the list of followers of {other}",
    ),
    Kind(
        "follower_without_follow",
        "account {other} is in the list of followers of {mid} since {mtime}, but does not follow {mid} since then",
    ),
    Kind("mutual_missing", "accounts {mid} and {other} follow each other, but the side of {mid} does not say so"),
    Kind("mutual_wrong", "accounts {mid} and {other} do not follow each other, but the side of {mid} says so"),
)

_GROUPS = (
    Kind(
        "member_without_relation",
        "account {mid} has {other} in its group {group_id}, but neither follows nor whispers {other}",
    ),
    Kind("member_of_unknown_group", "account {mid} has {other} in group {group_id}, but has no such group"),
)

# After everything that is counted.
_COUNTERS = (
    Kind("wrong_counter", "account {mid} has {stored} as its counter {counter}, but there are {counted}"),
    Kind(
        "negative_counter",
        "account {mid} has {stored} as its counter {counter}: set it with upspace account set",
        for_a_person=True,
    ),
)

KINDS = (*_ACCOUNTS, *_DELETED, *_RELATIONS, *_GROUPS, *_COUNTERS)
