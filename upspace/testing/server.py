"""Starting a server for tests, as a process of its own, and stopping it."""

import selectors
import subprocess
import sys
import tempfile
from typing import IO, Any

import msgspec

from upspace.server.settings import SettingsError, build_settings

_STARTS_WITHIN_S = 60
_STOPS_WITHIN_S = 30

_DEFAULTS = {"store": "sqlite://", "port": 0, "control": True}


class ServerError(Exception):
    """The server did not start, or has ended, and what it said."""


class ServerProcess:
    """A controlled server on a free port of this machine. Its store is in memory, unless a setting says otherwise.

    The settings are those of `upspace serve`, by name. Raises SettingsError for one that cannot be, and ServerError.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        given = _DEFAULTS | settings
        build_settings(given)
        if not given["control"]:
            raise SettingsError("control: a test needs it")
        if given.get("tls"):
            raise SettingsError("tls: the server of a test speaks plain HTTP; programs that insist on TLS get a proxy")
        # What the server says belongs to whoever looks for a reason, and to no test's captured output.
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # for as long as the server runs
        command = [sys.executable, "-m", "upspace.testing.child", msgspec.json.encode(given).decode()]
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            # Ctrl-C is for whoever tests: in a debugger it must not end the server.
            process_group=0,
        )
        self.url = self._first_line()

    @property
    def said(self) -> str:
        """What the server has written to its standard error: its log, which is empty while all is well."""
        if self._said.closed:
            return ""
        self._said.seek(0)
        return self._said.read().decode(errors="replace").strip()

    def check(self) -> None:
        """Raise ServerError, with what the server said, if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise ServerError(f"the server has ended with exit code {code}: {self.said or 'it said nothing'}")

    def stop(self) -> None:
        """End the server; requests in flight are answered. Stopping twice is allowed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        # A process that the tests have forked may hold the other end of its input.
        self._process.terminate()
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
        said = self.said
        self.stop()
        raise ServerError(f"the server did not start: {said or 'it said nothing'}")
