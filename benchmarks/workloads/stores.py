"""A copy of the dataset for a workload to write to, on either engine; the kept one is never written to."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw
from cluster import copied_database, filled_database, rows, running_cluster

from upspace.data.community import Community

SQLITE, POSTGRES = "sqlite", "postgres"


class Copy(NamedTuple):
    """The URL of the copy, and the versions that come with its engine."""

    url: str
    versions: dict[str, str]


@contextmanager
def copied_store(engine: str, source: Path, community: Community, kept: Path, folder: Path | None) -> Iterator[Copy]:
    """A copy of the file `source` that is gone at the end.

    PostgreSQL's files are in the folder `kept`; a copy of the SQLite file goes into `folder`, if that is not None.
    """
    if engine == SQLITE:
        with tempfile.TemporaryDirectory(dir=folder) as where:
            copy = Path(where, "workload.db")
            shutil.copy(source, copy)
            yield Copy(f"sqlite:///{copy}", {"sqlite": apsw.sqlite_lib_version()})
        return
    with running_cluster(kept, community) as cluster:
        [(version,)] = rows(filled_database(cluster, source), "show server_version")
        with copied_database(cluster, "workload") as url:
            yield Copy(url, {"postgresql": version})
