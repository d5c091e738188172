"""The database's own program for loading: the same rows, sorted by key, into empty tables with the same indexes."""

import asyncio
import time
from pathlib import Path

import asyncpg

from bulk.commands import run
from bulk.results import Stage
from upspace.store.tables import TABLES

_LOADED = [table for table in TABLES if table.name in ("standing", "account", "upstat", "relation", "follower")]


def sqlite_import(store: Path, folder: Path) -> Stage:
    """The sqlite3 shell's `.import` into a new file; what it costs to have the rows sorted is not counted."""
    bare = folder / "bare.db"
    schema = run(["sqlite3", str(store), *[f".schema {table.name}" for table in _LOADED]])[1]
    run(["sqlite3", str(bare)], given=schema)
    for table in _LOADED:
        rows = f"select {', '.join(table.names)} from {table.name} order by {', '.join(table.key)};"  # noqa: S608  # ours
        run(["sqlite3", str(store)], given=f".mode csv\n.once {folder / table.name}.csv\n{rows}\n")
    imports = "".join(f".import {folder / table.name}.csv {table.name}\n" for table in _LOADED)
    try:
        return run(["sqlite3", str(bare)], given=f".bail on\n.mode csv\n{imports}")[0]
    finally:
        bare.unlink(missing_ok=True)
        _remove(folder)


def postgres_copy(filled: str, empty: str, folder: Path) -> Stage:
    """PostgreSQL's `copy` of files into a database that has our tables, as one transaction."""
    return asyncio.run(_copy(filled, empty, folder))


async def _copy(filled: str, empty: str, folder: Path) -> Stage:
    source = await asyncpg.connect(filled)
    target = await asyncpg.connect(empty)
    try:
        for table in _LOADED:
            query = f"select {', '.join(table.names)} from {table.name} order by {', '.join(table.key)}"  # noqa: S608  # ours
            await source.copy_from_query(query, output=folder / f"{table.name}.csv", format="csv", timeout=None)
        began = time.perf_counter()
        async with target.transaction():
            for table in _LOADED:
                path = folder / f"{table.name}.csv"
                await target.copy_to_table(table.name, source=path, columns=table.names, format="csv", timeout=None)
        return Stage(round(time.perf_counter() - began, 1))
    finally:
        await source.close()
        await target.close()
        _remove(folder)


def _remove(folder: Path) -> None:
    for table in _LOADED:
        (folder / f"{table.name}.csv").unlink(missing_ok=True)
