"""Importing into a store and looking at what came of it, past the store."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stores import within

from upspace.data.formats import Format
from upspace.data.importing.mapping import Names
from upspace.data.importing.run import Files, Imported, Options, import_files
from upspace.store import read_store
from upspace.store.tables import TABLES

MTIME = 1_600_000_000
"""When the files of `written` were last changed."""

NOTHING: dict[str, list[Any]] = {table.name: [] for table in TABLES}


class Silent:
    """A progress that keeps what a person should know."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def rows(self, what: str, done: int, total: int) -> None:
        assert done >= 0, what
        assert total >= 0, what

    def bytes(self, what: str, done: int, total: int) -> None:
        assert 0 <= done <= total, what

    def say(self, line: str) -> None:
        self.said.append(line)


def written(path: Path, content: str | bytes) -> Path:
    """The file, which is as old as MTIME."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return aged(path)


def aged(path: Path) -> Path:
    os.utime(path, (MTIME, MTIME))
    return path


class Importer:
    """Imports files that are written for it into one store, and keeps what was rejected."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.rejects = folder / "rejects.csv"
        self.said: list[str] = []

    def __call__(
        self,
        users: str | Path = "",
        relations: str | Path = "",
        *,
        suffix: str = "csv",
        file_format: Format | None = None,
        names: Sequence[str] = (),
        **options: Any,
    ) -> Imported:
        self.rejects.unlink(missing_ok=True)
        progress = Silent()
        files = Files(
            self._paths("users", users, suffix), self._paths("relations", relations, suffix), file_format, Names(names)
        )
        done = within(
            import_files(self.url, files, Options(self.rejects, temporary_folder=self.folder, **options), progress)
        )
        self.said = progress.said
        assert done.rows == done.users + done.relations + done.rejected
        assert done.rejected == len(self.rejected())
        assert [path.name for path in self.folder.glob("upspace-import-*")] == []
        return done

    def rejected(self) -> list[tuple[str, int, str]]:
        """File, line and reason of each row that was rejected."""
        if not self.rejects.exists():
            return []
        with self.rejects.open(encoding="utf-8", newline="") as file:
            heading, *rows = csv.reader(file)
        assert heading == ["file", "line", "reason"]
        return [(Path(name).name, int(line), reason) for name, line, reason in rows]

    def _paths(self, what: str, given: str | Path, suffix: str) -> list[Path]:
        if isinstance(given, Path):
            return [given]
        return [written(self.folder / f"{what}.{suffix}", given)] if given else []


def dump(url: str) -> dict[str, list[Any]]:
    """Every row of a store, by table, in the order of the keys."""

    async def read() -> dict[str, list[Any]]:
        async with read_store(url) as source:
            return {table.name: [row async for rows in source.batches(table) for row in rows] for table in TABLES}

    return within(read())
