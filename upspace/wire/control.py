"""What the control interface reads and answers (docs/control.md). The test fixture speaks to it in these types."""

import re
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from upspace.wire.admin import DAY_S, TOKEN_DAYS_MAX
from upspace.wire.codes import ATTRIBUTE_FOLLOWING
from upspace.wire.endpoints import ENDPOINTS
from upspace.wire.errors import TABLE, BadRequestError
from upspace.wire.faults import HTML_STATUSES, Shape
from upspace.wire.record import Mid

S = TypeVar("S", bound=Struct)

CONTROL_PREFIX = "/-/control/"
DIRECT_PREFIX = CONTROL_PREFIX + "direct"
"""A path of the contract behind this is answered as it is: no fault, no entry in the journal."""

_DELAY_MAX_S = 3_600
_PAUSE_MAX_S = 60
TIME_MAX_S = 16_725_225_600
"""The year 2500: as far as a clock may be set. A good while later, nanoseconds no longer fit into 64 bits."""
_ANONYMOUS = 0

PATHS = {endpoint.name: endpoint.paths for endpoint in ENDPOINTS}
"""The name of an endpoint stands for its path and all aliases."""

Seconds = Annotated[float, Meta(ge=0, le=_DELAY_MAX_S)]
UnixTime = Annotated[float, Meta(ge=0, le=TIME_MAX_S)]
HeaderValue = Annotated[str, Meta(pattern=r"^[ -~]*\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.-]+\Z")]


class FaultRule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """When a fault is sent, and which.

    `path` is a path in which `*` stands for anything, or the name of an endpoint, which covers its aliases. `target` is
    the mid, vmid or fid that a request names, `viewer` who is signed in, 0 standing for nobody. The first `after`
    matching requests are spared; of the others each is hit with `probability`, drawn from `seed`, until `times` were.

    `delay_s` is how long a reply waits; with `delay_max_s` a time between the two is drawn. With `drip_bytes` the body
    goes out in pieces of that size, `drip_pause_s` apart. `status` is for `html`, `first` for `glued`, `code` for
    `refusal`.
    """

    shape: Shape
    path: Annotated[str, Meta(min_length=1, max_length=1_000)] = "*"
    target: Mid | None = None
    viewer: Annotated[int, Meta(ge=_ANONYMOUS)] | None = None
    times: Annotated[int, Meta(ge=1)] | None = None
    after: Annotated[int, Meta(ge=0)] = 0
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    seed: int = 0
    delay_s: Seconds = 0.0
    delay_max_s: Seconds | None = None
    drip_bytes: Annotated[int, Meta(ge=1)] | None = None
    drip_pause_s: Annotated[float, Meta(ge=0, le=_PAUSE_MAX_S)] = 0.1
    status: int | None = None
    first: Literal["frequent", "limited"] = "frequent"
    code: int | None = None


class FaultState(Struct, frozen=True):
    """A rule, how many requests have matched it, and how many it has hit."""

    id: int
    rule: FaultRule
    matched: int
    sent: int


class ClockState(Struct, frozen=True, forbid_unknown_fields=True):
    """The time of the server in unix seconds. Unless it is `ticking`, it stands still until it is set or advanced."""

    now: UnixTime
    ticking: bool = False


class Advance(Struct, frozen=True, forbid_unknown_fields=True):
    """By how much the clock goes forward."""

    seconds: Annotated[float, Meta(ge=0, le=TIME_MAX_S)]


class RelationRecord(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A relation as it shall be stored: a whisper, a follow or a block. `mtime` is now if it is not given."""

    owner: Mid
    other: Mid
    attribute: Literal[1, 2, 128] = ATTRIBUTE_FOLLOWING
    mtime: Annotated[int, Meta(ge=0, le=TIME_MAX_S)] | None = None


class LoadRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Accounts, as records, and relations, which may be of accounts that are there already. All of it or nothing.

    A record without a `mid` gets one that no account has. Unless `replace`, a mid that an account has is refused.
    """

    accounts: list[Any] = []
    relations: list[RelationRecord] = []
    replace: bool = True


class Loaded(Struct, frozen=True):
    """The mids of the accounts that have been loaded, in their order, and how many relations were."""

    mids: list[int]
    relations: int


class CommunityRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The synthetic community that an empty store shall hold."""

    seed: int = 1
    accounts: Annotated[int, Meta(le=1_000_000)] = 1_000
    relations: Annotated[int, Meta(le=100_000_000)] = 20_000


class TokenOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose token it shall be, and for how many seconds it holds, None for ever."""

    mid: Mid
    expires_s: Annotated[int, Meta(ge=1, le=TOKEN_DAYS_MAX * DAY_S)] | None = None


class SnapshotState(Struct, frozen=True):
    """A snapshot that can be restored."""

    name: str
    bytes: int
    taken: float


Credential: TypeAlias = Literal["authorization", "access_key", "cookie"]
"""How somebody has signed in."""


class Asked(Struct, kw_only=True):
    """A request in the journal.

    `time` is the server's own in unix seconds. `parameters` are those of the query, for a write with those of its body
    before them. Credentials are left out: `viewer` says whose they were, None if nobody's, and `credential` how they
    came. `status` and `code` are None while there is no reply, `code` also where the reply has none; `answered_by` is
    the shape of a fault, "replay", or None for a normal reply.
    """

    number: int
    time: float
    method: str
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    viewer: int | None
    credential: Credential | None
    status: int | None = None
    code: int | None = None
    answered_by: str | None = None


class Journal(Struct, frozen=True):
    """The requests that are still known, oldest first; `dropped` older ones are not."""

    requests: list[Asked]
    dropped: int


class Unimplemented(Struct, frozen=True):
    """A path that was asked for and that the server does not know."""

    method: str
    path: str
    count: int


class Pair(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request and its reply as they were recorded, without credentials. The body of the reply is text, or Base64."""

    method: str
    path: str
    parameters: dict[str, str] = {}
    status: Annotated[int, Meta(ge=200, le=599)]
    content_type: HeaderValue = field(default="", name="content-type")
    retry_after: HeaderValue = field(default="", name="retry-after")
    text: str | UnsetType = UNSET
    base64: bytes | UnsetType = UNSET

    @property
    def body(self) -> bytes:
        """The body of the reply."""
        if isinstance(self.base64, bytes):
            return self.base64
        return self.text.encode() if isinstance(self.text, str) else b""


class ReplayRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What was recorded and shall be answered again."""

    pairs: list[Pair]


CREDENTIALS = frozenset(
    ("access_key", "access_token", "bili_jct", "csrf", "csrf_token", "password", "refresh_token", "SESSDATA", "token")
)
"""Parameters that sign somebody in, here or elsewhere."""

UNRECORDED = CREDENTIALS | {"w_rid", "wts", "sign", "ts", "_"}
"""Parameters that no record holds and no replay looks at: credentials, and what differs from request to request."""


def path_matcher(path: str) -> re.Pattern[str]:
    """What matches the paths of a path, of a pattern in which `*` stands for anything, or of an endpoint by its name.

    Raises BadRequestError for a text that no request can match.
    """
    if not (path.startswith("/") or "*" in path or path in PATHS) or "?" in path:
        raise BadRequestError(f"path: {path!r} is no path (/x/...), no pattern with *, and no name of an endpoint")
    return re.compile("|".join(map(_expression, PATHS.get(path, (path,)))), re.DOTALL)


def _expression(pattern: str) -> str:
    """Each part is taken where it first stands, and never looked for again: many stars would take for ever."""
    first, *others = map(re.escape, pattern.split("*"))
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>.*?{part})" for part in middle) + ".*" + last


def read_control(value: Any, struct: type[S]) -> S:
    """A request of the control interface from decoded JSON. Raises BadRequestError that says which field is wrong."""
    try:
        read = msgspec.convert(value, struct)
    except msgspec.ValidationError as error:
        raise BadRequestError(str(error)) from None
    if isinstance(read, FaultRule):
        _check_rule(read)
    return read


def _check_rule(rule: FaultRule) -> None:
    """Refuse what a type cannot: a path that no request can have, and values that belong to other shapes."""
    path_matcher(rule.path)
    if (rule.code is not None) != (rule.shape is Shape.REFUSAL):
        raise BadRequestError("code: shape refusal needs one, and no other shape has one")
    if rule.code is not None and rule.code not in TABLE:
        raise BadRequestError(f"code: {rule.code} is not in the table of codes")
    if rule.status is not None and (rule.shape is not Shape.HTML or rule.status not in HTML_STATUSES):
        raise BadRequestError("status: shape html has 404 or 412, and no other shape has one")
    if rule.first != "frequent" and rule.shape is not Shape.GLUED:
        raise BadRequestError("first: only shape glued has one")
    if rule.delay_max_s is not None and rule.delay_max_s < rule.delay_s:
        raise BadRequestError("delay_max_s: it is below delay_s")
    if rule.shape is Shape.SLOW and not (rule.delay_s or rule.delay_max_s or rule.drip_bytes):
        raise BadRequestError("shape: slow needs delay_s, delay_max_s or drip_bytes")
