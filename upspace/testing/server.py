"""Starting a server for tests, as a process of its own, and stopping it."""

import selectors
import subprocess
import sys
import tempfile
from typing import IO, Any

import msgspec

from upspace.server.settings import build_settings

_STARTS_WITHIN_S = 60
_STOPS_WITHIN_S = 30

_DEFAULTS = {"store": "sqlite://", "port": 0, "control": True}


class ServerError(Exception):
    """The server did not start, and what it said."""


class ServerProcess:
    """A controlled server on a free port of this machine. Its store is in memory, unless a setting says otherwise.

    The settings are those of `upspace serve`, by name. Raises SettingsError for one that cannot be, and ServerError.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        given = _DEFAULTS | settings
        build_settings(given)
        # What the server says belongs to whoever looks for a reason, and to no test's captured output.
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # for as long as the server runs
        command = [sys.executable, "-m", "upspace.testing.child", msgspec.json.encode(given).decode()]
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said
        )
        self.url = self._first_line()

    def stop(self) -> None:
        """End the server; requests in flight are answered. Stopping twice is allowed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()

    def _first_line(self) -> str:
        output = self._process.stdout
        assert output is not None  # noqa: S101  # asked for above
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            line = output.readline().decode().strip() if selector.select(_STARTS_WITHIN_S) else ""
        if line:
            return line
        self._process.kill()
        self._process.wait()
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip()
        self.stop()
        raise ServerError(f"the server did not start: {said or 'it said nothing'}")
