"""From a store to files."""

from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing
from pathlib import Path

from upspace.data.columns import RELATION_COLUMNS, USER_COLUMNS
from upspace.data.exporting.rows import count_relations, count_users, relation_rows, user_rows
from upspace.data.exporting.sheets import sheet
from upspace.data.formats import Format, FormatError, format_of
from upspace.data.outputs import check_no_store, is_same
from upspace.store import read_store
from upspace.store.moving import Watch
from upspace.store.tables import Row

_MEMORY_MB = 500


async def export_files(
    url: str, users: Path | None, relations: Path | None, file_format: Format | None, watch: Watch
) -> tuple[int, int]:
    """Write what the store at `url` holds now into files; how many users and relations.

    Both files show the same moment, while others go on writing to the store. They are there when both are complete, and
    replace those of their names. Raises FormatError and StoreError.
    """
    formats = {path: file_format or format_of(path) for path in (users, relations) if path is not None}
    if users is not None and formats[users] is Format.EDGES:
        raise FormatError(f"{users}: an edge list holds relations, not users")
    if users is not None and relations is not None and is_same(users, relations):
        raise FormatError(f"{users}: users and relations need a file each")
    check_no_store(formats, url)
    done = [0, 0]
    async with read_store(url) as source:
        # Either both files are new or none.
        with ExitStack() as sheets:
            if users is not None:
                total = await count_users(source)
                write = sheets.enter_context(sheet(users, formats[users], USER_COLUMNS, _MEMORY_MB))
                done[0] = await _pass(user_rows(source), write, watch, f"writing {users.name}", total)
            if relations is not None:
                total = await count_relations(source)
                write = sheets.enter_context(sheet(relations, formats[relations], RELATION_COLUMNS, _MEMORY_MB))
                done[1] = await _pass(relation_rows(source), write, watch, f"writing {relations.name}", total)
    return done[0], done[1]


async def _pass(
    batches: AsyncGenerator[list[Row], None], write: Callable[[list[Row]], None], watch: Watch, what: str, total: int
) -> int:
    done = 0
    async with aclosing(batches) as passing:
        async for rows in passing:
            write(rows)
            done += len(rows)
            watch(what, done, total)
    return done
