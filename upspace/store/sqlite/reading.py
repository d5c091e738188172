"""Reads of the event loop: all of one turn of it see the same snapshot.

A read by itself takes and gives back a lock of the file, which costs nearly as much as finding a row; what the requests
of a turn have in common is found once.
"""

import asyncio
from typing import Any, TypeAlias

import apsw

Row: TypeAlias = tuple[Any, ...]
Bindings: TypeAlias = Row | dict[str, int | str]


class TurnReader:
    """Reads through one connection, which nobody else may read through meanwhile.

    A snapshot is opened by the first read of a turn, and the loop is told at once to close it. The loop runs what it
    is told in that order: whatever reads the snapshot was under way before it was opened, and misses nothing that had
    been acknowledged by then. Only who blocks the loop until something is committed has to let it turn afterwards.

    A database in memory is written to through the same connection, so every read of it stands for itself.
    """

    def __init__(self, db: apsw.Connection, *, in_memory: bool) -> None:
        self._db = db
        # One cursor for all saves making them, but leaves a statement open, which is in the way of who writes there.
        self._execute = db.execute if in_memory else db.cursor().execute
        self._in_memory = in_memory
        self._reading = False
        self._found: dict[str, Row | None] = {}

    def row(self, statement: str, bindings: Bindings) -> Row | None:
        """The first row. Raises apsw errors."""
        if not self._reading and not self._in_memory:
            self._open_snapshot()
        row: Row | None = self._execute(statement, bindings).fetchone()
        return row

    def rows(self, statement: str, bindings: Bindings) -> list[Row]:
        """All rows. Raises apsw errors."""
        if not self._reading and not self._in_memory:
            self._open_snapshot()
        return self._execute(statement, bindings).fetchall()

    def row_of_turn(self, statement: str) -> Row | None:
        """The row of a statement without bindings, which is asked for once a turn. Raises apsw errors."""
        if statement in self._found:
            return self._found[statement]
        row = self.row(statement, ())
        if self._reading:
            self._found[statement] = row
        return row

    def close(self) -> None:
        """Give the snapshot back, if there is one: the connection is about to be closed."""
        self._close_snapshot()

    def _open_snapshot(self) -> None:
        self._execute("begin")
        self._reading = True
        asyncio.get_running_loop().call_soon(self._close_snapshot)

    def _close_snapshot(self) -> None:
        if self._reading:
            self._reading = False
            self._found.clear()
            # A fault of the disk ends a transaction by itself.
            if self._db.in_transaction:
                self._execute("commit")
