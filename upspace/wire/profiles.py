"""Behaviour profiles (contract, section 1): the switches, their two columns, and the limits."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct


class OthersCap(StrEnum):
    """How deep the lists of another account may be read: five pages (then 22007), or a number of rows."""

    PAGES = "pages"
    ROWS = "rows"


class Behaviour(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the server behaves where the contract leaves a choice. The defaults are profile `seed`."""

    lists_need_login: Annotated[bool, Meta(description="anonymous list reads get -101")] = False
    default_ps: Annotated[int, Meta(ge=1, le=50, description="page size of followers, followings and fans")] = 20
    others_cap_followings: Annotated[
        OthersCap, Meta(description="cap on others' followings and fans: 5 pages, or 100 rows")
    ] = OthersCap.PAGES
    others_cap_followers: Annotated[OthersCap, Meta(description="cap on others' followers: 5 pages, or 1000 rows")] = (
        OthersCap.PAGES
    )
    upstat_needs_login: Annotated[bool, Meta(description="anonymous upstat gets an empty data object")] = False
    whisper_enabled: Annotated[bool, Meta(description="act=3 (whisper) is accepted")] = True
    acc_info_recent_fields: Annotated[bool, Meta(description="acc/info carries the fields added later")] = False
    contract_info_empty: Annotated[bool, Meta(description="contract_info is {} when nothing is set")] = False
    list_recent_fields: Annotated[
        bool, Meta(description="list items carry name_render, rec_reason, track_id, follow_time")
    ] = False


class Quotas(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much an account may have, and how much one request may ask for."""

    max_followings: Annotated[int, Meta(ge=0, description="followings and whispers of an account, together")] = 2000
    max_blacks: Annotated[int, Meta(ge=0, description="blocks of an account")] = 1000
    max_groups: Annotated[int, Meta(ge=0, description="own groups of an account")] = 50
    max_relations_fids: Annotated[int, Meta(ge=1, description="accounts in one request of relations")] = 1000
    max_batch_fids: Annotated[int, Meta(ge=1, description="accounts in one batch of follows or blocks")] = 50
    max_group_fids: Annotated[int, Meta(ge=1, description="accounts in one change of group members")] = 50


SEED = Behaviour()

RECENT = Behaviour(
    lists_need_login=True,
    default_ps=50,
    others_cap_followings=OthersCap.ROWS,
    others_cap_followers=OthersCap.ROWS,
    upstat_needs_login=True,
    whisper_enabled=False,
    acc_info_recent_fields=True,
    contract_info_empty=True,
    list_recent_fields=True,
)

PROFILES = {"seed": SEED, "recent": RECENT}

PAGE_CAP = 5
OTHERS_FOLLOWINGS_ROWS = 100
OTHERS_FOLLOWERS_ROWS = 1000
OWN_FOLLOWERS_ROWS = 1000
