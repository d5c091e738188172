"""What is rendered and joined of a stored account equals the reply made of its record and encoded whole."""

import msgspec
import pytest
from generated import structs
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Struct
from msgspec.structs import asdict, replace
from shown_accounts import listed_account, seen_account

from upspace.records import profile_of
from upspace.server.render import DELETED_NAME, Renderer, decorate
from upspace.server.settings import build_settings
from upspace.wire.accounts import (
    RECENT_ACC_INFO,
    AccInfo,
    Card,
    CardAccount,
    CardVip,
    LevelInfo,
    OfficialVerify,
    School,
    Space,
    Vip,
    in_era,
)
from upspace.wire.record import AccountRecord, Decorations, State, read_record
from upspace.wire.relations import NO_CONTRACT, RelationItem, RelationVip
from upspace.wire.splice import CardEncoder, InfoEncoder, ItemEncoder, Rendered, RenderedAccount

ENCODE = msgspec.json.encode

# One mid in it, the one that can be joined along with a list; else none, or several.
FACES = [
    "{public_url}/-/faces/{mid}.svg",
    "http://x/100%/\"名\"/%d?{mid}&'%b'",
    "{mid}",
    "http://x/nobody.svg",
    "http://x/{mid}/{mid}.svg",
    "",
]
PROFILES = {"seed": False, "recent": True}


class House:
    """The renderer and the encoders of a server, put together as it does."""

    def __init__(self, profile: str, default_face: str = FACES[0]) -> None:
        given = {"store": "sqlite://", "profile": profile, "public_url": "http://u", "default_face": default_face}
        self.recent = PROFILES[profile]
        self.renderer = Renderer(build_settings(given))
        self._face = default_face.replace("{public_url}", "http://u")
        self._infos = InfoEncoder(decorate, recent=self.recent)
        self._cards = CardEncoder(decorate)
        self._items = ItemEncoder(self.renderer.face_url or ("", ""), contract_info_empty=False)

    def face(self, mid: int, given: str = "") -> str:
        """The avatar that is shown."""
        return given or self._face.replace("{mid}", str(mid))

    def info(self, mid: int, account: RenderedAccount) -> bytes:
        return self._infos.encode(mid, account, self.renderer.face_json(mid, account), followed=True)

    def card(self, mid: int, account: RenderedAccount, photo: bool) -> bytes:
        face = self.renderer.face_json(mid, account)
        numbers = {"following": 1, "follower": 2, "archive_count": 3, "article_count": 4, "likes": 5}
        return self._cards.encode(mid, account, face, photo=photo, followed=False, **numbers)

    def items(self, mid: int, account: Rendered) -> list[bytes]:
        return [self._items.item(mid, 0, 7, (), account), *self._items.strangers([mid], [7], [account])]


HOUSES = {profile: House(profile) for profile in PROFILES}


def whole_info(house: House, record: AccountRecord, birthday: str) -> AccInfo:
    recent = house.recent
    shown = {name: getattr(record, name) for name in Decorations.__struct_fields__ if name in AccInfo.__struct_fields__}
    shown = {name: in_era(value, recent) if isinstance(value, Struct) else value for name, value in shown.items()}
    if recent:
        shown |= RECENT_ACC_INFO | {"school": shown["school"] or School()}
    else:
        del shown["name_render"]
    return AccInfo(
        mid=record.mid,
        name=record.name,
        sex=record.sex,
        face=house.face(record.mid, record.face),
        face_nft=record.face_nft,
        sign=record.sign,
        rank=record.rank,
        level=record.level,
        silence=int(record.state is State.SUSPENDED),
        coins=0,
        official=record.official,
        vip=in_era(record.vip, recent),
        is_followed=True,
        birthday=birthday,
        is_senior_member=record.is_senior_member,
        **shown,
    )


def whole_card(house: House, record: AccountRecord, photo: bool) -> Card:
    vip = in_era(record.vip, recent=False)
    account = CardAccount(
        mid=str(record.mid),
        name=record.name,
        sex=record.sex,
        rank=str(record.rank),
        face=house.face(record.mid, record.face),
        face_nft=record.face_nft,
        spacesta=-2 if record.state is State.SUSPENDED else 0,
        fans=2,
        friend=1,
        attention=1,
        sign=record.sign,
        level_info=LevelInfo(record.level),
        pendant=in_era(record.pendant, recent=False),
        nameplate=record.nameplate,
        official=record.official,
        official_verify=OfficialVerify(record.official.type, record.official.title),
        vip=CardVip(**asdict(vip), vipType=vip.type, vipStatus=vip.status),
        is_senior_member=record.is_senior_member,
    )
    space = Space(s_img=record.top_photo_small, l_img=record.top_photo) if photo else UNSET
    return Card(card=account, space=space, following=False, archive_count=3, article_count=4, follower=2, like_num=5)


def whole_item(house: House, record: AccountRecord) -> RelationItem:
    vip = in_era(record.vip, recent=False)
    item = RelationItem(
        mid=record.mid,
        mtime=7,
        contract_info=NO_CONTRACT,
        uname=record.name,
        face=house.face(record.mid, record.face),
        sign=record.sign,
        face_nft=record.face_nft,
        official_verify=OfficialVerify(record.official.type, record.official.title),
        vip=relation_vip(vip),
        nft_icon=record.nft_icon,
    )
    if not house.recent:
        return item
    return replace(item, name_render=record.name_render or {}, rec_reason="", track_id="", follow_time="")


def relation_vip(vip: Vip) -> RelationVip:
    return RelationVip(
        vip.type,
        vip.due_date,
        "",
        0,
        vip.status,
        "",
        vip.theme_type,
        vip.label,
        vip.avatar_subscript,
        vip.nickname_color,
        vip.avatar_subscript_url,
    )


@pytest.mark.parametrize("profile", PROFILES)
@settings(deadline=None, max_examples=300)
@given(record=structs(AccountRecord), photo=st.booleans())
def test_every_reply_shows_what_the_record_of_an_account_says(profile: str, record: AccountRecord, photo: bool) -> None:
    house, account = HOUSES[profile], seen_account(profile_of(record))
    whole, mid = house.renderer.account(account), record.mid
    assert house.info(mid, whole) == ENCODE(whole_info(house, record, "" if record.hides_birthday else record.birthday))
    assert house.card(mid, whole, photo) == ENCODE(whole_card(house, record, photo))
    assert house.items(mid, whole) == [ENCODE(whole_item(house, record))] * 2
    own = house.renderer.own_account(account.account, account.state)
    assert house.info(mid, own) == ENCODE(whole_info(house, record, record.birthday))
    # For lists what they show is enough, and what is kept.
    assert house.items(mid, house.renderer.item(listed_account(profile_of(record)))) == house.items(mid, whole)
    kept = house.renderer.abridged(whole)
    assert house.items(mid, kept) == house.items(mid, whole)
    assert kept == whole or house.renderer.completed(kept, account.account.decorations) == whole


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("default_face", FACES)
@pytest.mark.parametrize("face", ["", 'http://x/100%/"名".jpg'])
def test_the_avatar_is_the_own_one_or_the_default_one(profile: str, default_face: str, face: str) -> None:
    house = House(profile, default_face)
    for mid in (1, 2**63 - 1):
        record = read_record({"mid": mid, "name": "n", "face": face})
        account = house.renderer.account(seen_account(profile_of(record)))
        assert house.items(mid, account) == [ENCODE(whole_item(house, record))] * 2
        assert house.items(mid, house.renderer.item(listed_account(profile_of(record)))) == house.items(mid, account)
        assert house.info(mid, account) == ENCODE(whole_info(house, record, ""))
        assert house.card(mid, account, False) == ENCODE(whole_card(house, record, False))
        assert house.renderer.face(profile_of(record).account) == house.face(mid, face)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("default_face", FACES)
def test_every_deleted_account_shows_one_name_and_the_avatar_of_nobody(profile: str, default_face: str) -> None:
    house = House(profile, default_face)
    plain = whole_item(house, read_record({"mid": 5, "name": DELETED_NAME}))
    assert house.renderer.item(None) is house.renderer.deleted
    assert house.items(5, house.renderer.deleted) == [ENCODE(replace(plain, face=house.face(0)))] * 2
