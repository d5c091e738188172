"""`upspace serve` and `upspace demo`."""

import asyncio
import shlex
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from upspace import __version__
from upspace.cli.common import settings_options
from upspace.cli.proxying import authority_option, open_authority
from upspace.server.run import serve as run_server
from upspace.server.settings import Settings, SettingsError, build_settings
from upspace.server.watch import ServeError
from upspace.store import migrate_store, open_store
from upspace.store.interface import StoreError
from upspace.store.urls import without_password

if TYPE_CHECKING:
    from upspace.proxy.authority import Authority

T = TypeVar("T")

_EXAMPLES = (
    "/x/space/acc/info?mid=50995243",
    "/x/web-interface/card?mid=50995243&photo=1",
    "/x/space/upstat?mid=524144317",
    "/x/relation/stat?vmid=5818410",
    "/x/relation/followers?vmid=50995243&pn=1&ps=20&order=desc",
    "/x/relation/followings?vmid=5818410&pn=2&ps=20&order=desc",
)


@click.command()
@settings_options(store_required=True)
@authority_option
def serve(authority: Path | None, **given: Any) -> None:
    """Serve a store over HTTP until SIGTERM or Ctrl-C."""
    _serve(_settings(given), authority, examples=False)


@click.command()
@settings_options(store_required=False)
@click.option(
    "--accounts", type=int, default=10_000, envvar="UPSPACE_ACCOUNTS", show_default=True, help="how many accounts"
)
@click.option(
    "--relations", type=int, default=300_000, envvar="UPSPACE_RELATIONS", show_default=True, help="how many relations"
)
@click.option(
    "--seed", type=int, default=1, envvar="UPSPACE_SEED", show_default=True, help="another number, another community"
)
@authority_option
def demo(accounts: int, relations: int, seed: int, authority: Path | None, **given: Any) -> None:
    """Serve a synthetic community: made when it is first asked for, then kept.

    It is made of the seed alone, so it is the same everywhere. Without --store it is kept in the user's cache
    folder.
    """
    from upspace.data.community import Community

    try:
        plan = Community(seed=seed, accounts=accounts, relations=relations)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if given["store"] is None:
        given["store"] = f"sqlite:///{_cache_folder() / f'community-{seed}-{accounts}-{relations}.db'}"
    settings = _settings(given)
    if settings.store == "sqlite://":
        raise click.ClickException("store: the demo keeps its community in a file: give sqlite:///path, or nothing")
    _settle(settings.store, plan)
    _serve(settings, authority, examples=True)


def _settings(given: dict[str, Any]) -> Settings:
    try:
        return build_settings(given)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _serve(settings: Settings, authority: Path | None, *, examples: bool) -> None:
    trusted = open_authority(authority) if settings.tls else None

    def announce(settings: Settings) -> None:
        workers = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
        click.echo(
            f"upspace {__version__} listening on {_listening_at(settings)}, "
            f"store {without_password(settings.store)}, profile {settings.profile}, {workers}"
        )
        if trusted is not None:
            click.echo(f"Clients have to trust {trusted.ca_file}")
        if examples:
            trust = "" if trusted is None else f"--cacert {shlex.quote(str(trusted.ca_file))} "
            click.echo("Try, for example (Ctrl-C stops):")
            for path in _EXAMPLES:
                click.echo(f"  curl {trust}'{settings.reached_at()}{path}'")
            store = without_password(settings.store)
            command = shlex.join((sys.argv[0], "token", "issue", "50995243", "--store", store))
            click.echo(f"A token to sign in with: {command}")

    from upspace.data.asked import fill_store

    try:
        with _certificate(settings, trusted) as certificate:
            run_server(settings, announce, fill_store, certificate)
    except (StoreError, ServeError) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _certificate(settings: Settings, authority: "Authority | None") -> Iterator[tuple[Path, Path] | None]:
    """The files of a certificate for the names in the settings, and of its key; None without an authority."""
    if authority is None:
        yield None
        return
    from upspace.proxy.authority import AuthorityError

    # Workers read the files whenever they start, so they have to stay.
    with _ending_in_order(), TemporaryDirectory(prefix="upspace-tls-") as folder:
        try:
            files = authority.write_leaf(settings.names_in_certificate(), Path(folder))
        except AuthorityError as error:
            raise click.ClickException(str(error)) from error
        yield files


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Until the server takes the signal itself, SIGTERM would end the process without a clean-up."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _listening_at(settings: Settings) -> str:
    return msgspec.structs.replace(settings, public_url="").reached_at()


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("upspace", ensure_exists=True)


def _settle(url: str, plan: Any) -> None:
    """Make the community in the store at `url`, unless it is there already."""
    from upspace.data.community import CommunityMismatchError, settle

    async def run() -> None:
        await migrate_store(url)
        store = await open_store(url)
        try:
            await settle(store, plan, _progress)
        finally:
            await store.close()

    try:
        asyncio.run(run())
    except (StoreError, CommunityMismatchError) as error:
        raise click.ClickException(str(error)) from error


def _progress(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    from tqdm import tqdm

    return iter(tqdm(items, desc=what, total=total, unit_scale=True, mininterval=0.2))
