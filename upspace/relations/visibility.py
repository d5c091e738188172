"""Who may see which list, and how deep (contract, sections 6.5, 6.6 and 9)."""

from enum import Enum

from upspace.model import ListOwner
from upspace.wire.errors import FollowersHiddenError, FollowingsHiddenError, PageTooDeepError
from upspace.wire.profiles import (
    OTHERS_FOLLOWERS_ROWS,
    OTHERS_FOLLOWINGS_ROWS,
    OWN_FOLLOWERS_ROWS,
    PAGE_CAP,
    Behaviour,
    OthersCap,
)


class ListKind(Enum):
    """The three endpoints that list an account's relations to whoever may see them."""

    FOLLOWERS = "followers"
    FOLLOWINGS = "followings"
    FANS = "fans"


def visible_rows(kind: ListKind, own: bool, behaviour: Behaviour, ps: int | None) -> int | None:
    """How many rows of a list exist for the viewer, counted in the order asked for; None is all of them.

    `own` tells that the list is the viewer's own. `ps` is the page size, None when a cursor takes the place of
    page numbers, to which the page cap does not apply.
    """
    if own:
        return None if kind is ListKind.FOLLOWINGS else OWN_FOLLOWERS_ROWS
    followers = kind is ListKind.FOLLOWERS
    cap = behaviour.others_cap_followers if followers else behaviour.others_cap_followings
    if cap is OthersCap.ROWS:
        return OTHERS_FOLLOWERS_ROWS if followers else OTHERS_FOLLOWINGS_ROWS
    return None if ps is None else PAGE_CAP * ps


def check_visible(kind: ListKind, own: bool, behaviour: Behaviour, owner: ListOwner, pn: int | None) -> None:
    """Raise FollowersHiddenError, FollowingsHiddenError or PageTooDeepError unless the viewer may see the page.

    `pn` is None when a cursor takes its place.
    """
    if own:
        return
    if kind is ListKind.FOLLOWINGS:
        if owner.hides_followings:
            raise FollowingsHiddenError
    elif owner.hides_followers:
        raise FollowersHiddenError
    cap = behaviour.others_cap_followers if kind is ListKind.FOLLOWERS else behaviour.others_cap_followings
    if cap is OthersCap.PAGES and pn is not None and pn > PAGE_CAP:
        raise PageTooDeepError
