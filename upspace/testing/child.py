"""The server as a child process of whoever tests: it prints its URL when it is ready, and ends with its parent."""

import os
import signal
import sys
import threading

import click
import msgspec

from upspace.data.asked import fill_store
from upspace.server.run import serve
from upspace.server.settings import Settings, SettingsError, build_settings
from upspace.server.watch import ServeError
from upspace.store.interface import StoreError


def main() -> None:
    """Serve with the settings that stand as JSON in the first argument, until standard input ends."""
    threading.Thread(target=_follow_input, daemon=True).start()
    try:
        serve(build_settings(msgspec.json.decode(sys.argv[1])), _announce, fill_store)
    except (SettingsError, StoreError, ServeError) as error:
        sys.exit(str(error))


def _announce(settings: Settings) -> None:
    # Where it listens, whatever URL it is to be known by.
    click.echo(msgspec.structs.replace(settings, public_url="").reached_at())


def _follow_input() -> None:
    """The other end is closed when the parent ends, however that comes about."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
