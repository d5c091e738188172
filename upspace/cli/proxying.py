"""`upspace proxy`."""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from upspace.cli.signals import ENDING, signals
from upspace.proxy.targets import DEFAULT_HOSTS, Address, Hosts, TargetError, parse_upstream
from upspace.server.settings import ENVIRONMENT_PREFIX

if TYPE_CHECKING:
    from upspace.proxy.authority import Authority

Command = TypeVar("Command", bound=Callable[..., Any])

_PORT = 8001

_PASSED_ON = (*ENDING, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
# Keys that the terminal turns into a signal to every process in the foreground.
_BY_KEY = (signal.SIGINT, signal.SIGQUIT)


class _CannotRunError(click.ClickException):
    """The command is there, and is none; the exit code is that of a shell."""

    exit_code = 126


class _NotFoundError(click.ClickException):
    """There is no such command; the exit code is that of a shell."""

    exit_code = 127


def authority_option(command: Command) -> Command:
    """The option --authority of commands that show certificates of the user's own authority."""
    return click.option(
        "--authority",
        type=click.Path(path_type=Path, file_okay=False),
        envvar=ENVIRONMENT_PREFIX + "AUTHORITY",
        help="the folder of the certificate authority, made if it is not there  [default: in the user's data folder]",
    )(command)


def open_authority(folder: Path | None) -> "Authority":
    """The authority in this folder, or in the user's data folder; what is wrong with it is an error of the command."""
    from upspace.proxy.authority import Authority, AuthorityError

    try:
        return Authority.open(folder)
    except AuthorityError as error:
        raise click.ClickException(str(error)) from error


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--upstream",
    envvar=ENVIRONMENT_PREFIX + "UPSTREAM",
    default="http://127.0.0.1:8000",
    show_default=True,
    metavar="URL",
    help="the server that answers",
)
@click.option(
    "--host",
    envvar=ENVIRONMENT_PREFIX + "PROXY_HOST",
    default="127.0.0.1",
    show_default=True,
    help="the address to listen on",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar=ENVIRONMENT_PREFIX + "PROXY_PORT",
    help=f"the port to listen on; 0 picks a free one  [default: {_PORT}; with COMMAND a free one]",
)
@click.option(
    "--hosts",
    envvar=ENVIRONMENT_PREFIX + "PROXY_HOSTS",
    default=DEFAULT_HOSTS,
    show_default=True,
    help="the host names to stand in for: *.name is all below a name",
)
@click.option(
    "--pass-through/--no-pass-through",
    envvar=ENVIRONMENT_PREFIX + "PASS_THROUGH",
    default=False,
    show_default=True,
    help="let requests for all other hosts through to them, instead of refusing them",
)
@authority_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def proxy(
    upstream: str,
    host: str,
    port: int | None,
    hosts: str,
    pass_through: bool,
    authority: Path | None,
    command: Sequence[str],
) -> int:
    """Stand in for bilibili.com, for programs that have the host name compiled in.

    Without COMMAND it prints, for a shell, the variables that lead a program here, and runs until SIGTERM or Ctrl-C.
    With COMMAND, as in `upspace proxy -- python bot.py`, it runs that with those variables, passes signals on to it,
    and ends with its exit code.

    Programs have to trust a certificate authority that is made on first use and belongs to you alone. docs/proxy.md
    says how, program by program, and what it can and cannot do.
    """
    try:
        to, stood_in = parse_upstream(upstream), Hosts.parse(hosts)
    except TargetError as error:
        raise click.ClickException(str(error)) from error
    if port is None:
        port = 0 if command else _PORT
    return asyncio.run(_stand_in(to, stood_in, (host, port), pass_through, open_authority(authority), command))


async def _stand_in(
    upstream: Address,
    hosts: Hosts,
    listen_on: tuple[str, int],
    pass_through: bool,
    authority: "Authority",
    command: Sequence[str],
) -> int:
    """The exit code."""
    from upspace.proxy.authority import AuthorityError
    from upspace.proxy.forward import ForwardProxy
    from upspace.proxy.listening import ListenError, listen
    from upspace.proxy.variables import for_programs, for_shells

    try:
        # Who is let through to real hosts needs to trust those as well.
        trusted = authority.bundle() if pass_through else authority.ca_file
        listener = listen(*listen_on)
    except (AuthorityError, ListenError) as error:
        raise click.ClickException(str(error)) from error
    url = f"http://{Address(*listener.getsockname()[:2]).reached_at()}"
    async with ForwardProxy(listener, upstream, hosts, authority, pass_through=pass_through):
        environment = for_programs(os.environ, url, trusted, authority.ca_file, hosts)
        if command:
            return await _run(command, environment)
        with signals(ENDING) as ended:
            click.echo("\n".join(for_shells(os.environ, environment)))
            await ended.get()
            return 0


async def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end; its exit code, or 128 and the number of the signal that has ended it."""
    with signals(_PASSED_ON) as come:
        try:
            process = await asyncio.create_subprocess_exec(*command, env=environment)
        except OSError as error:
            refused = _NotFoundError if isinstance(error, FileNotFoundError) else _CannotRunError
            raise refused(f"{command[0]} cannot be run: {error.strerror}") from error
        passing = asyncio.create_task(_pass_on(come, process))
        try:
            code = await process.wait()
        finally:
            passing.cancel()
    return code if code >= 0 else 128 - code


async def _pass_on(come: "asyncio.Queue[signal.Signals]", process: Process) -> None:
    while True:
        number = await come.get()
        if number not in _BY_KEY or not _in_foreground():
            with suppress(ProcessLookupError):
                process.send_signal(number)


def _in_foreground() -> bool:
    """Whether a key pressed at the terminal has sent its signal to the command as well."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
