"""Forward migrations: which there are, and whether a store and this version of the code fit together.

An engine keeps its migrations as `NNNN_what.sql`. The first line of each names the oldest schema version
whose code can still work with a store migrated so far: `-- oldest compatible: N`.

On PostgreSQL a migration is one transaction, unless a line of it says `-- online: why`. Then its statements are
executed one by one, each ending with a `;` at the end of a line, and each must be one that can be executed again: what
was interrupted begins anew from the first. So `drop index concurrently if exists x` stands before
`create index concurrently x`, which leaves an index behind that is of no use when it does not come to its end. Both
wait for who is in the middle of a write, and nobody waits for them. Any other statement that changes a table keeps
everyone from it, for as long as it waits and works: it gives up its place after a second and comes again, and must not
work for long.
"""

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from upspace.store.interface import SchemaTooNewError, SchemaTooOldError

_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
_COMPATIBLE = re.compile(r"-- oldest compatible: (\d+)\n")


class Migration(NamedTuple):
    """One step: the schema version it leads to, and the oldest version that can still work with it."""

    version: int
    name: str
    oldest_compatible: int
    sql: str


def read_migrations(package: str) -> list[Migration]:
    """The migrations in folder `migrations` of an engine's package, in order, versions 1, 2, 3 ..."""
    found = []
    for file in files(package).joinpath("migrations").iterdir():
        if match := _NAME.fullmatch(file.name):
            sql = file.read_text(encoding="utf-8")
            compatible = _COMPATIBLE.match(sql)
            if compatible is None:
                raise ValueError(f"{file.name}: the first line must say '-- oldest compatible: N'")
            found.append(Migration(int(match[1]), match[2], int(compatible[1]), sql))
    found.sort()
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"{package}: migrations must be numbered 1, 2, 3 ...")
    return found


def check_version(url: str, version: int, oldest_compatible: int, migrations: Sequence[Migration]) -> None:
    """Raise SchemaTooNewError or SchemaTooOldError unless this code can work with a store of that version."""
    known = len(migrations)
    if oldest_compatible > known:
        raise SchemaTooNewError(
            f"{url} has schema version {version}, this upspace knows versions up to {known}: use a newer upspace"
        )
    if version < known:
        raise SchemaTooOldError(
            f"{url} has schema version {version}, this upspace needs {known}: run upspace migrate --store {url}"
        )
