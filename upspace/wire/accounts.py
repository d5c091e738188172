"""Replies about one account: acc/info, card, upstat, nav, myinfo (contract, sections 5.3, 6.1 to 6.3 and 10).

Fields stand in the order of the wire. A field typed `Recent[...]` exists in profile `recent` only:
`in_era` fills it or takes it away.
"""

from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from upspace.wire.codes import LEVEL_MAX, OFFICIAL_NONE
from upspace.wire.forms import BOOL, MID

T = TypeVar("T")
S = TypeVar("S", bound=Struct)
Recent: TypeAlias = T | UnsetType

Flag: TypeAlias = Annotated[int, Meta(ge=0, le=1)]


class MidParameters(Struct, frozen=True):
    """The target of acc/info and upstat."""

    mid: Annotated[int, MID]


class CardParameters(Struct, frozen=True):
    """The target of card, and whether the header images are wanted."""

    mid: Annotated[int, MID]
    photo: Annotated[bool, BOOL]


class Official(Struct, frozen=True):
    """The official mark. `type`: -1 none, 0 person, 1 organisation."""

    role: int = 0
    title: str = ""
    desc: str = ""
    type: Annotated[int, Meta(ge=-1, le=1)] = OFFICIAL_NONE


class OfficialVerify(Struct, frozen=True):
    """The official mark in short: `desc` is the title."""

    type: int
    desc: str


class Label(Struct, frozen=True):
    """The membership label beside a name."""

    path: str = ""
    text: str = ""
    label_theme: str = ""
    text_color: str = ""
    bg_style: int = 0
    bg_color: str = ""
    border_color: str = ""
    use_img_label: Recent[bool] = UNSET
    img_label_uri_hans: Recent[str] = UNSET
    img_label_uri_hant: Recent[str] = UNSET
    img_label_uri_hans_static: Recent[str] = UNSET
    img_label_uri_hant_static: Recent[str] = UNSET


class AvatarIcon(Struct, frozen=True):
    """The small icon on an avatar."""

    icon_type: int = 0
    icon_resource: dict[str, Any] = {}


class Vip(Struct, frozen=True):
    """A membership, account form. `due_date` is in unix milliseconds, `tv_due_date` in seconds."""

    type: Annotated[int, Meta(ge=0, le=2)] = 0
    status: Flag = 0
    due_date: int = 0
    vip_pay_type: int = 0
    theme_type: int = 0
    label: Label = Label()
    avatar_subscript: int = 0
    nickname_color: str = ""
    role: int = 0
    avatar_subscript_url: str = ""
    tv_vip_status: Recent[int] = UNSET
    tv_vip_pay_type: Recent[int] = UNSET
    tv_due_date: Recent[int] = UNSET
    avatar_icon: Recent[AvatarIcon] = UNSET


class CardVip(Vip, frozen=True):
    """A membership as card shows it: two values stand a second time at its end."""

    vipType: int = 0
    vipStatus: int = 0


class Pendant(Struct, frozen=True):
    """The frame around an avatar. `expire` is in unix seconds."""

    pid: int = 0
    name: str = ""
    image: str = ""
    expire: int = 0
    image_enhance: str = ""
    image_enhance_frame: str = ""
    n_pid: Recent[int] = UNSET


class Nameplate(Struct, frozen=True):
    """The medal beside a name."""

    nid: int = 0
    name: str = ""
    image: str = ""
    image_small: str = ""
    level: str = ""
    condition: str = ""


class Medal(Struct, frozen=True):
    """The fan medal that an account wears."""

    uid: int = 0
    target_id: int = 0
    medal_id: int = 0
    level: int = 0
    medal_name: str = ""
    medal_color: int = 0
    intimacy: int = 0
    next_intimacy: int = 0
    day_limit: int = 0
    today_feed: int = 0
    medal_color_start: int = 0
    medal_color_end: int = 0
    medal_color_border: int = 0
    is_lighted: int = 0
    light_status: int = 0
    wearing_status: int = 0
    score: int = 0
    guard_level: Recent[int] = UNSET


class FansMedal(Struct, frozen=True):
    """Whether a fan medal is shown and worn, and which."""

    show: bool = False
    wear: bool = False
    medal: Medal | None = None


class UserHonourInfo(Struct, frozen=True):
    """Honours of an account."""

    mid: int = 0
    colour: str | None = None
    tags: list[Any] = []
    is_latest_100honour: Recent[int] = UNSET


class SysNotice(Struct, frozen=True):
    """A notice over the page of an account; `{}` without one."""

    id: int | UnsetType = UNSET
    content: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    notice_type: int | UnsetType = UNSET
    icon: str | UnsetType = UNSET
    text_color: str | UnsetType = UNSET
    bg_color: str | UnsetType = UNSET


class WatchedShow(Struct, frozen=True):
    """How many people watched the live room."""

    switch: bool = False
    num: int = 0
    text_small: str = "0"
    text_large: str = "0人看过"
    icon: str = ""
    icon_location: str = ""
    icon_web: str = ""


class LiveRoom(Struct, frozen=True):
    """The live room of an account; `roomStatus` is 0 without one."""

    roomStatus: Flag = 0
    liveStatus: Flag = 0
    url: str = ""
    title: str = ""
    cover: str = ""
    roomid: int = 0
    roundStatus: Flag = 0
    broadcast_type: int = 0
    watched_show: WatchedShow = WatchedShow()


class School(Struct, frozen=True):
    """The school of an account."""

    name: str = ""


class Profession(Struct, frozen=True):
    """What an account works as."""

    name: str = ""
    department: str = ""
    title: str = ""
    is_show: int = 0


class Series(Struct, frozen=True):
    """The state of the upgrade of an account's series."""

    user_upgrade_status: int = 3
    show_upgrade_window: bool = False


class ElecShowInfo(Struct, frozen=True):
    """Charging of an account; never on offer here."""

    show: bool = False
    state: int = -1
    title: str = ""
    icon: str = ""
    jump_url: str = ""


class Elec(Struct, frozen=True):
    """Wrapper of ElecShowInfo."""

    show_info: ElecShowInfo = ElecShowInfo()


class ContractDisplay(Struct, frozen=True):
    """Whether fan contracts are displayed; never here."""

    is_display: bool = False
    is_follow_display: bool = False


class AccInfo(Struct, frozen=True, kw_only=True):
    """`data` of acc/info. Contract: 6.1."""

    mid: int
    name: str
    sex: str
    face: str
    face_nft: int
    face_nft_type: Recent[int] = UNSET
    sign: str
    rank: int
    level: Annotated[int, Meta(ge=0, le=LEVEL_MAX)]
    jointime: int = 0
    moral: int = 0
    silence: Flag
    coins: int | float
    fans_badge: bool
    fans_medal: FansMedal
    official: Official
    vip: Vip
    pendant: Pendant
    nameplate: Nameplate
    user_honour_info: UserHonourInfo
    is_followed: bool
    top_photo: str
    theme: dict[str, Any] = {}
    sys_notice: SysNotice
    live_room: LiveRoom
    birthday: str
    school: School | None
    profession: Profession
    tags: list[str] | None
    series: Series
    is_senior_member: Flag
    mcn_info: Recent[None] = UNSET
    gaia_res_type: Recent[int] = UNSET
    gaia_data: Recent[None] = UNSET
    is_risk: Recent[bool] = UNSET
    elec: Recent[Elec] = UNSET
    contract: Recent[ContractDisplay] = UNSET
    certificate_show: Recent[bool] = UNSET
    name_render: Recent[dict[str, Any] | None] = UNSET


class MyInfo(AccInfo, frozen=True, kw_only=True):
    """`data` of myinfo: acc/info of the viewer and the viewer's own counters. Contract: 10."""

    following: int
    follower: int


class LevelInfo(Struct, frozen=True):
    """The level as card shows it."""

    current_level: int
    current_min: int = 0
    current_exp: int = 0
    next_exp: int = 0


class CardAccount(Struct, frozen=True, kw_only=True):
    """The account in card. `friend` and `attention` are both the number of accounts it follows."""

    mid: str
    name: str
    approve: bool = False
    sex: str
    rank: str
    face: str
    face_nft: int
    DisplayRank: str = "0"
    regtime: int = 0
    spacesta: int
    birthday: str = ""
    place: str = ""
    description: str = ""
    article: int = 0
    attentions: list[int] = []
    fans: int
    friend: int
    attention: int
    sign: str
    level_info: LevelInfo
    pendant: Pendant
    nameplate: Nameplate
    official: Official = field(name="Official")
    official_verify: OfficialVerify
    vip: CardVip
    is_senior_member: Flag


class Space(Struct, frozen=True):
    """The header images: small and full."""

    s_img: str
    l_img: str


class Card(Struct, frozen=True, kw_only=True):
    """`data` of card; `space` only when `photo` was asked for. Contract: 6.2."""

    card: CardAccount
    space: Space | UnsetType = UNSET
    following: bool
    archive_count: int
    article_count: int
    follower: int
    like_num: int


class View(Struct, frozen=True):
    """A number of views."""

    view: int


class UpstatReply(Struct, frozen=True):
    """`data` of upstat. Contract: 6.3."""

    archive: View
    article: View
    likes: int


class Empty(Struct, frozen=True):
    """The empty object: no parameters, or `data` without fields."""


class WbiImages(Struct, frozen=True):
    """Two placeholder URLs that end in `/wbi/<32 hexadecimal digits>.png`."""

    img_url: str
    sub_url: str


class NavLevel(Struct, frozen=True):
    """The level as nav shows it."""

    current_level: int


class NavAnonymous(Struct, frozen=True):
    """`data` of nav for an anonymous viewer, sent with code -101. Contract: 10."""

    isLogin: bool
    wbi_img: WbiImages


class Nav(Struct, frozen=True):
    """`data` of nav for a viewer who is logged in. Contract: 10."""

    isLogin: bool
    mid: int
    uname: str
    face: str
    vipStatus: int
    level_info: NavLevel
    wbi_img: WbiImages


class Fingerprints(Struct, frozen=True):
    """`data` of finger/spi: placeholders."""

    b_3: str
    b_4: str


RECENT_DEFAULTS: dict[type[Struct], dict[str, Any]] = {
    Label: {
        "use_img_label": True,
        "img_label_uri_hans": "",
        "img_label_uri_hant": "",
        "img_label_uri_hans_static": "",
        "img_label_uri_hant_static": "",
    },
    Vip: {"tv_vip_status": 0, "tv_vip_pay_type": 0, "tv_due_date": 0, "avatar_icon": AvatarIcon()},
    Pendant: {"n_pid": 0},
    Medal: {"guard_level": 0},
    UserHonourInfo: {"is_latest_100honour": 0},
}
"""The second table of contract 6.1, as far as it adds to objects of an account."""


def in_era(value: S, recent: bool) -> S:
    """The same object with the fields of profile `recent`, or without them; objects within it as well."""
    changes: dict[str, Any] = {}
    for name in value.__struct_fields__:
        field = getattr(value, name)
        if isinstance(field, Struct):
            changed = in_era(field, recent)
            if changed is not field:
                changes[name] = changed
    for name, default in RECENT_DEFAULTS.get(type(value), {}).items():
        if not recent:
            changes[name] = UNSET
        elif getattr(value, name) is UNSET:
            changes[name] = value.pid if isinstance(value, Pendant) else default
    return msgspec.structs.replace(value, **changes) if changes else value


RECENT_ACC_INFO: dict[str, Any] = {
    "face_nft_type": 0,
    "mcn_info": None,
    "gaia_res_type": 0,
    "gaia_data": None,
    "is_risk": False,
    "elec": Elec(),
    "contract": ContractDisplay(),
    "certificate_show": False,
}
"""The rest of that table, as far as it adds constants to acc/info itself."""
