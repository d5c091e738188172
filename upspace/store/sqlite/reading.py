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
    """Reads through one connection.

    A snapshot is opened by the first read of a turn, and the loop is told at once to end it. The loop runs what it is
    told in that order: whoever reads the snapshot was waiting in the loop before it was opened, and misses nothing that
    had been acknowledged by then. Only who blocks the loop until something is committed has to `end` it before; that of
    another store of the same file in the same loop, it does not know.

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
            self._begin()
        row: Row | None = self._execute(statement, bindings).fetchone()
        return row

    def rows(self, statement: str, bindings: Bindings) -> list[Row]:
        """All rows. Raises apsw errors."""
        if not self._reading and not self._in_memory:
            self._begin()
        return self._execute(statement, bindings).fetchall()

    def row_of_turn(self, statement: str) -> Row | None:
        """The row of a statement without bindings, which is asked for once a turn. Raises apsw errors."""
        if statement in self._found:
            return self._found[statement]
        row = self.row(statement, ())
        if self._reading:
            self._found[statement] = row
        return row

    def end(self) -> None:
        """End the snapshot, if there is one; the next read opens another."""
        if not self._reading:
            return
        self._reading = False
        self._found.clear()
        # A fault of the disk ends a transaction by itself.
        if self._db.in_transaction:
            self._execute("commit")

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._execute("begin")
        self._reading = True
        loop.call_soon(self.end)
