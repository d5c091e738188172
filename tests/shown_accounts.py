"""What a store gives of an account to those who show it."""

import json

import msgspec

from upspace.model import ListedAccount, Profile, SeenAccount


def seen_account(profile: Profile) -> SeenAccount:
    """The account with what decides how others see it."""
    return SeenAccount(profile.account, profile.standing.state, int(profile.standing.hides_birthday))


def listed_account(profile: Profile) -> ListedAccount:
    """What lists show of the account."""
    shown = profile.account
    decorations = json.loads(shown.decorations or "{}")
    name_render = decorations.get("name_render")
    return ListedAccount(
        shown.mid,
        shown.name,
        shown.face,
        shown.face_nft,
        shown.sign,
        shown.nft_icon,
        shown.official,
        shown.vip,
        None if name_render is None else msgspec.json.encode(name_render).decode(),
    )
