"""The peer's replies as pydantic models."""

# ruff: noqa: N815  (the wire's own field names)

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

T = TypeVar("T")


class Envelope(BaseModel, Generic[T]):
    """What every success is wrapped in."""

    code: int = 0
    message: str = "0"
    ttl: int = 1
    data: T


class Official(BaseModel):
    role: int = 0
    title: str = ""
    desc: str = ""
    type: int = -1


class OfficialVerify(BaseModel):
    type: int
    desc: str


class Label(BaseModel):
    path: str = ""
    text: str = ""
    label_theme: str = ""
    text_color: str = ""
    bg_style: int = 0
    bg_color: str = ""
    border_color: str = ""


class Vip(BaseModel):
    type: int = 0
    status: int = 0
    due_date: int = 0
    vip_pay_type: int = 0
    theme_type: int = 0
    label: Label = Label()
    avatar_subscript: int = 0
    nickname_color: str = ""
    role: int = 0
    avatar_subscript_url: str = ""


class CardVip(Vip):
    vipType: int
    vipStatus: int


class Pendant(BaseModel):
    pid: int = 0
    name: str = ""
    image: str = ""
    expire: int = 0
    image_enhance: str = ""
    image_enhance_frame: str = ""


class Nameplate(BaseModel):
    nid: int = 0
    name: str = ""
    image: str = ""
    image_small: str = ""
    level: str = ""
    condition: str = ""


class FansMedal(BaseModel):
    show: bool = False
    wear: bool = False
    medal: dict[str, Any] | None = None


class UserHonourInfo(BaseModel):
    mid: int = 0
    colour: str | None = None
    tags: list[Any] = []


class WatchedShow(BaseModel):
    switch: bool = False
    num: int = 0
    text_small: str = "0"
    text_large: str = "0人看过"
    icon: str = ""
    icon_location: str = ""
    icon_web: str = ""


class LiveRoom(BaseModel):
    roomStatus: int = 0
    liveStatus: int = 0
    url: str = ""
    title: str = ""
    cover: str = ""
    roomid: int = 0
    roundStatus: int = 0
    broadcast_type: int = 0
    watched_show: WatchedShow = WatchedShow()


class School(BaseModel):
    name: str = ""


class Profession(BaseModel):
    name: str = ""
    department: str = ""
    title: str = ""
    is_show: int = 0


class Series(BaseModel):
    user_upgrade_status: int = 3
    show_upgrade_window: bool = False


class Decorations(BaseModel):
    """What an account's column `decorations` holds."""

    fans_badge: bool = False
    fans_medal: FansMedal = FansMedal()
    pendant: Pendant = Pendant()
    nameplate: Nameplate = Nameplate()
    user_honour_info: UserHonourInfo = UserHonourInfo()
    top_photo: str = ""
    top_photo_small: str = ""
    sys_notice: dict[str, Any] = {}
    live_room: LiveRoom = LiveRoom()
    school: School | None = None
    profession: Profession = Profession()
    tags: list[str] | None = None
    series: Series = Series()


class AccInfo(BaseModel):
    mid: int
    name: str
    sex: str
    face: str
    face_nft: int
    sign: str
    rank: int
    level: int
    jointime: int = 0
    moral: int = 0
    silence: int
    coins: int = 0
    fans_badge: bool
    fans_medal: FansMedal
    official: Official
    vip: Vip
    pendant: Pendant
    nameplate: Nameplate
    user_honour_info: UserHonourInfo
    is_followed: bool = False
    top_photo: str
    theme: dict[str, Any] = {}
    sys_notice: dict[str, Any]
    live_room: LiveRoom
    birthday: str
    school: School | None
    profession: Profession
    tags: list[str] | None
    series: Series
    is_senior_member: int


class LevelInfo(BaseModel):
    current_level: int
    current_min: int = 0
    current_exp: int = 0
    next_exp: int = 0


class CardAccount(BaseModel):
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
    official: Official = Field(serialization_alias="Official")
    official_verify: OfficialVerify
    vip: CardVip
    is_senior_member: int


class Space(BaseModel):
    s_img: str
    l_img: str


class Card(BaseModel):
    card: CardAccount
    space: Space | None = None
    following: bool = False
    archive_count: int
    article_count: int
    follower: int
    like_num: int


class View(BaseModel):
    view: int


class Upstat(BaseModel):
    archive: View
    article: View
    likes: int


class RelationStat(BaseModel):
    mid: int
    following: int
    whisper: int = 0
    black: int = 0
    follower: int


class ContractInfo(BaseModel):
    is_contractor: bool = False
    ts: int = 0
    is_contract: bool = False
    user_attr: int = 0


class RelationVip(BaseModel):
    vipType: int
    vipDueDate: int
    dueRemark: str = ""
    accessStatus: int = 0
    vipStatus: int
    vipStatusWarn: str = ""
    themeType: int
    label: Label
    avatar_subscript: int
    nickname_color: str
    avatar_subscript_url: str


class RelationItem(BaseModel):
    mid: int
    attribute: int = 0
    mtime: int
    tag: list[int] | None = None
    special: int = 0
    contract_info: ContractInfo = ContractInfo()
    uname: str
    face: str
    sign: str
    face_nft: int
    official_verify: OfficialVerify
    vip: RelationVip
    nft_icon: str


class RelationList(BaseModel):
    items: list[RelationItem] = Field(serialization_alias="list")
    re_version: int = 0
    total: int
