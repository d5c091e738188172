"""The one command, `upspace`: parses arguments; each command calls one function elsewhere."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from upspace import __version__

# Command by command, the module it is in: only the one that runs is imported, so that starting stays quick.
_COMMANDS = {
    "account": "upspace.cli.accounts",
    "check": "upspace.cli.checking",
    "checksum": "upspace.cli.exporting",
    "demo": "upspace.cli.serving",
    "export": "upspace.cli.exporting",
    "import": "upspace.cli.importing",
    "migrate": "upspace.cli.stores",
    "move": "upspace.cli.moving",
    "proxy": "upspace.cli.proxying",
    "record": "upspace.cli.recording",
    "serve": "upspace.cli.serving",
    "token": "upspace.cli.tokens",
}


class _LateGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name]), name)
        return command


@click.group(cls=_LateGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="upspace")
def cli() -> None:
    """A self-hosted user, relation and statistics service that speaks the Bilibili user API.

    Try `upspace demo` for a ready community. Every option of `serve` and `demo`, and --store everywhere, can also
    be set by an environment variable UPSPACE_NAME, for example UPSPACE_STORE; a flag wins over a variable.
    """


def main() -> None:
    """Run the command; whatever it cannot do is one line on stderr and an exit code other than 0."""
    run_cli(cli)


def run_cli(command: Callable[..., Any]) -> None:
    """Run a click command as a program that prints one line for an error, not its usage."""
    try:
        sys.exit(command(prog_name="upspace", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(0)
    except click.ClickException as error:
        click.echo(f"upspace: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("upspace: interrupted", err=True)
        sys.exit(130)
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        click.echo(f"upspace: {what}{error.strerror or error}", err=True)
        # What could not be written to standard output would be tried again at the end.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
