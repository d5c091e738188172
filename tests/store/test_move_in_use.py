"""A move from a source that is in use, and into a target that somebody wants to use."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest
from move_world import MODULES, move, move_few_at_once
from moved import called, dump, fill
from store_oracle import FOLLOWING, profile
from stores import ENGINES, findings

from upspace.model import Change, Pair, Relation, Token
from upspace.store import open_store
from upspace.store.interface import StoreTimeoutError
from upspace.store.postgres import moving as postgres_engine
from upspace.store.tables import Row, Table


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    move_few_at_once(monkeypatch)


@pytest.mark.parametrize("source", ENGINES)
def test_what_is_moved_is_of_one_moment_however_much_is_written_meanwhile(
    new: Callable[[str], str], few_at_once: None, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    url, target = new(source), new("sqlite")
    mids = fill(url).mids[3:13]
    before = dump(url)
    written = 0
    undisturbed = MODULES[source].Snapshot.batches

    async def write() -> None:
        """Let each follow the next, or stop following it."""
        nonlocal written

        def turn(pair: Pair) -> Change:
            row = None if pair.forward else Relation(pair.mid, pair.fid, FOLLOWING, written)
            return Change(row, pair.backward)

        store = await open_store(url)
        for owner, other in pairwise(mids):
            assert await store.change_relations(owner, [other], turn) == {}
            written += 1
        await store.create_group(mids[0], called(f"group {written}"))
        await store.delete_account(mids[-1], written)
        await store.close()

    async def disturbed(self: Any, table: Table) -> AsyncGenerator[list[Row], None]:
        async for rows in undisturbed(self, table):
            yield rows
            if self.url != target and table.name in ("account", "relation"):
                await write()

    monkeypatch.setattr(MODULES[source].Snapshot, "batches", disturbed)
    move(url, target)
    assert written > 100
    assert dump(url) != before
    assert dump(target) == before
    assert findings(target) == []


def test_nobody_else_writes_while_a_target_is_filled(
    new: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = new("sqlite"), new("postgresql")
    filled = fill(source)
    undisturbed = postgres_engine.Room.put
    refused: list[Exception] = []

    async def disturbed(self: Any, table: Table, batches: AsyncIterator[list[Row]]) -> None:
        if table.name == "account":
            store = await open_store(target, timeout_s=0.2)
            assert await store.profile(filled.mids[0]) is None
            for write in (
                store.change_account(filled.mids[0], lambda _: profile(filled.mids[0])),
                store.put_token(Token(b"5" * 32, filled.mids[0], 1)),
                store.load([profile(filled.mids[0])], ()),
            ):
                with pytest.raises(StoreTimeoutError) as late:
                    await write
                refused.append(late.value)
            await store.close()
        await undisturbed(self, table, batches)

    monkeypatch.setattr(postgres_engine.Room, "put", disturbed)
    move(source, target)
    assert len(refused) == 3
    assert dump(target) == dump(source)
