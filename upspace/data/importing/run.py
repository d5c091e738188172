"""From files to a store: reading, resolving, writing."""

import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from upspace.data.formats import Format, FormatError, format_of
from upspace.data.importing.filling import Prepared
from upspace.data.importing.json_lines import read_json_lines
from upspace.data.importing.mapping import Names
from upspace.data.importing.merging import learn_accounts, learn_groups, merge
from upspace.data.importing.parquet import read_parquet
from upspace.data.importing.rejects import check_rejects, rejects_written
from upspace.data.importing.staging import MEMORY_MIN_MB, RELATIONS, USERS, Kind, Staging, staging
from upspace.data.importing.text_tables import read_csv, read_edges
from upspace.store import fill_store, make_store, open_store, read_store
from upspace.store.interface import Store
from upspace.store.moving import Watch
from upspace.store.tables import BY_NAME


class Progress(Protocol):
    """Is told how far each stage has come; a total of 0 is not known."""

    def rows(self, what: str, done: int, total: int, /) -> None:
        """So many rows of so many are done."""
        ...

    def bytes(self, what: str, done: int, total: int, /) -> None:
        """So many bytes of so many are done."""
        ...

    def say(self, line: str, /) -> None:
        """What a person should know, in a sentence."""
        ...


class StrictError(Exception):
    """A row that cannot be taken, where every row has to be."""


class Files(Struct, frozen=True):
    """What is imported: files of users and of relations, their format if their names do not say it, other names."""

    users: Sequence[Path] = ()
    relations: Sequence[Path] = ()
    format: Format | None = None
    names: Names = Names()


class Options(Struct, frozen=True):
    """How it is imported.

    `memory_mb` bounds the memory of the process, whatever the files' size. Rows that are rejected go to the file
    `rejects`, unless `strict`, which lets the first one end the run. With `create_accounts`, those that relations
    name and nobody knows come into being; those of edge lists always do.
    """

    rejects: Path
    memory_mb: int = 1_000
    strict: bool = False
    create_accounts: bool = False
    temporary_folder: Path | None = None


class Imported(Struct, frozen=True):
    """What became of the rows that were read: users and relations that are stored now, and rows that were rejected.

    `created` accounts were in no file, but relations name them. Of a store `is_new` that was not there before.
    """

    rows: int
    users: int
    relations: int
    rejected: int
    created: int
    is_new: bool


async def import_files(url: str, files: Files, options: Options, progress: Progress) -> Imported:
    """Take all rows of the files into the store at `url`, which is made if there is none.

    An empty store is filled in one transaction: all is there in the end, or nothing. A store in use gets it in small
    groups of writes. Either way the same run again leaves the same.

    Raises FormatError for a file that cannot be used at all, StrictError, StagingError, StoreError and OSError.
    """
    if options.memory_mb < MEMORY_MIN_MB:
        raise FormatError(f"{options.memory_mb} MB of memory are too few: {MEMORY_MIN_MB} are needed")
    reading = [(USERS, path) for path in files.users] + [(RELATIONS, path) for path in files.relations]
    formats = [_format(files, kind, path) for kind, path in reading]
    check_rejects(options.rejects, url)
    is_new = await make_store(url)
    with (
        staging(options.temporary_folder, options.memory_mb, create_accounts=options.create_accounts) as area,
        rejects_written(area, options.rejects),
    ):
        for (kind, path), found in zip(reading, formats, strict=True):
            unused = _read(area, kind, path, found, files.names, progress)
            _check_strict(area, options)
            if unused:
                progress.say(f"{path}: not used: {', '.join(unused)}")
        area.know_files()
        return await _resolve_and_write(url, area, options, progress.rows, is_new=is_new)


def _format(files: Files, kind: Kind, path: Path) -> Format:
    found = files.format or format_of(path)
    if found is Format.EDGES and kind is USERS:
        raise FormatError(f"{path}: an edge list holds relations, not users")
    if not path.exists():
        raise FormatError(f"{path}: there is no such file")
    if not path.is_file():
        raise FormatError(f"{path} is not a regular file")
    return found


def _read(area: Staging, kind: Kind, path: Path, found: Format, names: Names, progress: Progress) -> list[str]:
    """Gather the rows of a file; the columns that are not used."""
    size = path.stat().st_size

    def advance(read_bytes: int) -> None:
        progress.bytes(f"reading {path.name}", read_bytes, size)

    match found:
        case Format.CSV:
            return read_csv(area, kind, path, names, advance)
        case Format.JSONL:
            return read_json_lines(area, kind, path, names, advance)
        case Format.PARQUET:
            unused = read_parquet(area, kind, path, names)
            advance(size)
            return unused
        case Format.EDGES:
            read_edges(area, path, advance)
            return []


async def _resolve_and_write(url: str, area: Staging, options: Options, watch: Watch, *, is_new: bool) -> Imported:
    rows = sum(map(area.count, ("user_in", "relation_in", "reject")))
    # Only an empty store is filled; whoever writes to it meanwhile makes the filling fail, not mix.
    if await _is_empty(url):
        await _resolve(area, None, options, watch)
        area.run("make_members")
        area.run("make_counters")
        await fill_store(url, Prepared(area), watch)
    else:
        store = await open_store(url)
        try:
            await _resolve(area, store, options, watch)
            await merge(area, store, int(time.time()), watch)
        finally:
            await store.close()
        _check_strict(area, options)
    return Imported(
        rows=rows,
        users=area.value("select count(*) from person where source <> 0 and source not in (select source from reject)"),
        relations=area.value("select count(*) from relation_ready where source not in (select source from reject)"),
        rejected=area.count("reject"),
        created=area.value("select count(*) from person where source = 0"),
        is_new=is_new,
    )


async def _is_empty(url: str) -> bool:
    async with read_store(url) as source, aclosing(source.batches(BY_NAME["standing"])) as batches:
        async for _ in batches:
            return False
    return True


async def _resolve(area: Staging, store: Store | None, options: Options, watch: Watch) -> None:
    """Hold the rows against each other, and against the accounts of the store if it has any."""
    if store is not None:
        await learn_accounts(area, store, watch)
    watch("sorting users", 0, 0)
    area.run("reject_users")
    area.run("make_persons")
    if area.creates_accounts:
        area.run("create_persons")
    area.run("make_parties")
    area.run("make_groups")
    if store is None:
        area.run("number_groups")
    else:
        await learn_groups(area, store)
    watch("sorting relations", 0, 0)
    area.run("sort_relations")
    _check_strict(area, options)
    area.run("make_relations")


def _check_strict(area: Staging, options: Options) -> None:
    if options.strict and (reject := next(area.rejects(), None)) is not None:
        raise StrictError(f"{reject.file}, line {reject.line}: {reject.reason}")
