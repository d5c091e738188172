"""`upspace record`."""

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from upspace.cli.signals import ENDING, signals
from upspace.proxy.targets import Address

if TYPE_CHECKING:
    from upspace.proxy.recorded import PairFile

_PORT = 8002


@click.command()
@click.option(
    "--upstream",
    required=True,
    metavar="URL",
    help="the server to ask: any that speaks the API and that you may ask",
)
@click.option(
    "--file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="where requests and replies are kept, one pair as JSON in each line; pairs are added at its end",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="the address to listen on")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_PORT,
    show_default=True,
    help="the port to listen on; 0 picks a free one",
)
def record(upstream: str, file: Path, host: str, port: int) -> None:
    """Keep the requests and replies that pass between a program and a server, for tests to replay.

    Point the program at the address that is printed. Tokens, cookies, CSRF values and signatures are not kept.
    """
    from httpx import URL, InvalidURL

    from upspace.proxy.listening import ListenError, listen, reason_of
    from upspace.proxy.recorded import PairFile

    try:
        url = URL(upstream)
        if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or url.userinfo:
            raise InvalidURL("")
    except InvalidURL:
        raise click.ClickException("upstream: this is not of the form http(s)://host[:port][/path]") from None
    try:
        with listen(host, port) as listener, PairFile(file) as pairs:
            asyncio.run(_record(listener, upstream, pairs))
            click.echo(f"{pairs.count} pairs recorded in {file}")
    except OSError as error:
        raise click.ClickException(f"{file}: {reason_of(error)}") from error
    except ListenError as error:
        raise click.ClickException(str(error)) from error


async def _record(listener: socket.socket, upstream: str, pairs: "PairFile") -> None:
    """Until a signal ends it."""
    from upspace.proxy.recorder import Recorder

    at = Address(*listener.getsockname()[:2]).reached_at()
    with signals(ENDING) as ended:
        async with Recorder(listener, upstream, pairs):
            click.echo(f"recording what passes from http://{at} to {upstream}")
            await ended.get()
