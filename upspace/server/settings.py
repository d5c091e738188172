"""Every setting of the server, declared once: flags, environment variables and docs come from here."""

import re
from difflib import get_close_matches
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from upspace.server.limits import Limits, parse_limit
from upspace.store.urls import without_password
from upspace.wire.profiles import PROFILES, SEED, Behaviour, Quotas

ENVIRONMENT_PREFIX = "UPSPACE_"

# Who listens everywhere is reached at loopback, as far as the server itself can know.
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with, not bound to

_ADMIN_TOKEN_MIN = 16
_PUBLIC_URL = re.compile(r"https?://(?:\[[\da-f:.]+\]|[^\s/?#:{}\[\]]+)(?::\d+)?(?:/[^\s?#{}]*)?", re.IGNORECASE)


class SettingsError(Exception):
    """A setting that cannot be, in one sentence."""


class Settings(Struct, frozen=True, kw_only=True):
    """How to serve. Where `public_url` is empty, the address that is listened on takes its place."""

    store: Annotated[
        str,
        Meta(description="where facts live: sqlite:///path, sqlite:// for memory, or postgresql://user@host/database"),
    ]
    host: Annotated[str, Meta(description="the address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="the port to listen on; 0 picks a free one")] = 8000
    tls: Annotated[
        bool,
        Meta(description="speak HTTPS, with a certificate of the user's own authority"),
    ] = False
    tls_hosts: Annotated[str, Meta(description="the host names and addresses that the certificate is for")] = (
        "api.bilibili.com,localhost,127.0.0.1"
    )
    workers: Annotated[int, Meta(ge=1, le=256, description="processes that serve one store")] = 1
    profile: Annotated[str, Meta(description="behaviour profile: " + " or ".join(PROFILES))] = "seed"
    public_url: Annotated[
        str, Meta(description="how clients reach the server; URLs of generated images begin with it")
    ] = ""
    default_face: Annotated[
        str,
        Meta(description="avatar of accounts without one; {public_url} and {mid} stand for what they say"),
    ] = "{public_url}/-/faces/{mid}.svg"
    account_cache_mb: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="memory of each worker for accounts in replies, in megabytes; one is for about 3,000 accounts",
        ),
    ] = 64
    reply_cache_mb: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="memory of each worker for lists and cards as they were sent to anonymous viewers, in"
            " megabytes; one is for about 70 pages of 20 accounts; 0 keeps none; over PostgreSQL none are kept",
        ),
    ] = 2
    read_store: Annotated[
        str,
        Meta(description="a replica of a PostgreSQL store, to read lists and figures from"),
    ] = ""
    store_connections: Annotated[
        int, Meta(ge=2, le=1_000, description="connections of each worker to a PostgreSQL store, at most")
    ] = 8
    store_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            le=3_600,
            description="seconds that one wait for a PostgreSQL store may take; a request may need several",
        ),
    ] = 5.0
    limit_viewer_reads: Annotated[
        str, Meta(description="reads of one viewer: N/S is N requests within S seconds; empty is no limit")
    ] = ""
    limit_viewer_writes: Annotated[str, Meta(description="writes of one viewer, in the same form")] = ""
    limit_address_reads: Annotated[str, Meta(description="reads from one address, in the same form")] = ""
    limit_address_writes: Annotated[str, Meta(description="writes from one address, in the same form")] = ""
    trust_forwarded: Annotated[
        bool,
        Meta(description="behind a proxy of your own: the address is the last one in X-Forwarded-For"),
    ] = False
    admin_token: Annotated[
        str,
        Meta(
            description="opens /-/admin/ to whoever carries it, at least 16 characters; "
            "the environment variable keeps it out of the process list"
        ),
    ] = ""
    control: Annotated[
        bool,
        Meta(description="for tests: faults, a clock, snapshots and a journal of requests, under /-/control/"),
    ] = False
    control_anywhere: Annotated[bool, Meta(description="not only programs on the same machine may use /-/control/")] = (
        False
    )
    behaviour: Behaviour = SEED
    quotas: Quotas = Quotas()

    def __repr__(self) -> str:
        """All but the secrets: whoever logs the settings must not log those."""
        shown = msgspec.structs.replace(
            self,
            admin_token="*" * bool(self.admin_token),
            store=without_password(self.store),
            read_store=without_password(self.read_store),
        )
        return Struct.__repr__(shown)

    def limits(self) -> Limits:
        """The rate limits. Raises ValueError if one is not in the form N/S."""
        return Limits(
            viewer_reads=parse_limit(self.limit_viewer_reads),
            viewer_writes=parse_limit(self.limit_viewer_writes),
            address_reads=parse_limit(self.limit_address_reads),
            address_writes=parse_limit(self.limit_address_writes),
        )

    def store_options(self) -> dict[str, Any]:
        """How `open_store` is to open the store."""
        return {
            "read_url": self.read_store,
            "connections": self.store_connections,
            "timeout_s": self.store_timeout_s,
        }

    def reached_at(self) -> str:
        """The URL that stands for {public_url}, without a slash at its end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = _ANY_ADDRESS.get(self.host, self.host)
        scheme = "https" if self.tls else "http"
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"

    def names_in_certificate(self) -> list[str]:
        """What `tls_hosts` lists."""
        return [name.strip() for name in self.tls_hosts.split(",") if name.strip()]


class Setting(Struct, frozen=True):
    """One setting as a flag `--name` and a variable `UPSPACE_NAME`. `type` is a number, str, bool or an enumeration."""

    name: str
    type: Any
    default: Any
    description: str

    @property
    def flag(self) -> str:
        """The long flag, without the `--no-` form of a switch."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()


def declared(of: type[Struct]) -> list[Setting]:
    """The settings of a Struct in their order: its fields that carry a description."""
    hints = get_type_hints(of, include_extras=True)
    settings = []
    for field in msgspec.structs.fields(of):
        hint = hints[field.name]
        if get_origin(hint) is Annotated:
            kind, meta = get_args(hint)[:2]
            default = None if field.default is msgspec.NODEFAULT else field.default
            settings.append(Setting(field.name, kind, default, meta.description))
    return settings


def all_settings() -> list[Setting]:
    """Every setting there is: how to serve, the switches of the behaviour profile, and the limits of accounts."""
    return [setting for of in (Settings, Behaviour, Quotas) for setting in declared(of)]


def build_settings(given: dict[str, Any]) -> Settings:
    """Settings from values by name, None standing for "not given"; switches come on top of the profile.

    Raises SettingsError for a value out of range, an unknown profile or an unknown name.
    """
    _check_names(given)
    values = {name: value for name, value in given.items() if value is not None}
    profile = values.get("profile", "seed")
    if profile not in PROFILES:
        raise SettingsError(f"profile: {profile!r} is not one of {', '.join(PROFILES)}")
    switches = {name: values.pop(name) for name in Behaviour.__struct_fields__ if name in values}
    quotas = {name: values.pop(name) for name in Quotas.__struct_fields__ if name in values}
    try:
        behaviour = msgspec.structs.replace(PROFILES[profile], **switches)
        values["quotas"] = msgspec.convert(quotas, Quotas)
        values["behaviour"] = msgspec.convert(msgspec.to_builtins(behaviour), Behaviour)
        settings = msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$.")
        raise SettingsError(f"{where.rstrip('`') or 'settings'}: {text[0].lower()}{text[1:]}") from None
    if set(settings.default_face.replace("{public_url}", "").replace("{mid}", "")) & {"{", "}"}:
        raise SettingsError("default_face: only {public_url} and {mid} may stand in braces")
    _check_public_url(settings.public_url)
    for name in ("limit_viewer_reads", "limit_viewer_writes", "limit_address_reads", "limit_address_writes"):
        try:
            parse_limit(getattr(settings, name))
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from None
    if "admin_token" in values:
        _check_admin_token(settings.admin_token)
    if settings.tls and not settings.names_in_certificate():
        raise SettingsError("tls_hosts: a certificate is for one host name at least")
    if not settings.tls and "tls_hosts" in values:
        raise SettingsError("tls_hosts: without --tls there is no certificate")
    _check_one_process(settings)
    return settings


def _check_names(given: dict[str, Any]) -> None:
    """Raise SettingsError for a name that is none, which may be a mistyped one."""
    known = [setting.name for setting in all_settings()]
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise SettingsError(f"{name}: there is no such setting" + (f", but there is {near[0]}" if near else ""))


def _check_one_process(settings: Settings) -> None:
    """Raise SettingsError where several workers would each have a state of their own."""
    if settings.workers > 1 and settings.store == "sqlite://":
        raise SettingsError("workers: a store in memory belongs to one process: give it a file, or one worker")
    if settings.workers > 1 and settings.control:
        raise SettingsError("workers: what is controlled is one process: give it one worker, or no --control")
    if settings.control_anywhere and not settings.control:
        raise SettingsError("control_anywhere: nothing is controlled without --control")


def _check_public_url(url: str) -> None:
    """Raise SettingsError for what no avatar's URL can begin with."""
    if url and not _PUBLIC_URL.fullmatch(url):
        raise SettingsError(f"public_url: {url!r} is no URL like http://127.0.0.1:8000 or https://example.org/upspace")


def _check_admin_token(token: str) -> None:
    """Raise SettingsError, which does not repeat it, for a token that is easily guessed or fits in no header."""
    if len(token) < _ADMIN_TOKEN_MIN:
        raise SettingsError(f"admin_token: it must have at least {_ADMIN_TOKEN_MIN} characters")
    if not all("!" <= character <= "~" for character in token):
        raise SettingsError("admin_token: only visible ASCII characters may stand in it, and no spaces")
