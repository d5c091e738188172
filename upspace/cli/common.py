"""What several commands share: the store option, running against a store, settings as options."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from typing import Any, TypeVar

import click

from upspace.data.formats import Format
from upspace.server.settings import ENVIRONMENT_PREFIX, Setting, all_settings
from upspace.store import open_store
from upspace.store.interface import Store, StoreError
from upspace.wire.errors import BadRequestError
from upspace.wire.profiles import Behaviour

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

MID = click.IntRange(1, 2**63 - 1)


def with_store(work: Callable[[Store], Awaitable[T]], url: str) -> T:
    """Open the store, do `work`, close it. Errors of the store become errors of the command."""

    async def run() -> T:
        store = await open_store(url)
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except (StoreError, BadRequestError) as error:
        raise click.ClickException(str(error)) from error


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in an event loop; Ctrl-C ends it wherever it is, also where it computes for long without waiting.

    So does SIGTERM, by which others stop a command: nothing unfinished is left behind.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return asyncio.run(work)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def store_option(command: Command) -> Command:
    """The option --store of commands that work on a store and serve nothing."""
    return click.option(
        "--store",
        envvar=ENVIRONMENT_PREFIX + "STORE",
        required=True,
        metavar="URL",
        help="where facts live: sqlite:///path (four slashes for an absolute path) or postgresql://user@host/database",
    )(command)


def format_option(meaning: str) -> Callable[[Command], Command]:
    """The option --format of commands that read or write files."""
    return click.option(
        "--format",
        "file_format",
        type=click.Choice([each.value for each in Format]),
        callback=lambda context, parameter, value: value and Format(value),  # noqa: ARG005  # what click calls it with
        help=meaning,
    )


def settings_options(*, store_required: bool) -> Callable[[Command], Command]:
    """One option for each setting of the server and each switch of its behaviour."""

    def decorate(command: Command) -> Command:
        for setting in reversed(all_settings()):
            command = _option(setting, required=store_required and setting.name == "store")(command)
        return command

    return decorate


def _option(setting: Setting, *, required: bool) -> Callable[[Command], Command]:
    flag = setting.flag
    if setting.type is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    kind: Any = setting.type
    if isinstance(kind, type) and issubclass(kind, Enum):
        kind = click.Choice([member.value for member in kind])
    is_switch = setting.name in Behaviour.__struct_fields__
    note = "as the profile says" if is_switch else setting.default
    suffix = "" if note in (None, "") else f"  [default: {note}]"
    return click.option(
        flag,
        setting.name,
        type=kind,
        # Without a default a switch that is not given counts as off; with one, no option counts as missing.
        **({"required": True} if required else {"default": None}),
        envvar=setting.variable,
        help=f"{setting.description}{suffix}",
    )
