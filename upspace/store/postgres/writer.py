"""The two kinds of writes that are committed in groups: changes of pairs, and changes of accounts."""

from collections.abc import Sequence
from typing import NamedTuple

from upspace.model import Profile
from upspace.store.interface import AccountDeletedError, Decide, DecidePair
from upspace.store.postgres.accounts import change_txn
from upspace.store.postgres.connection import Connection, Database
from upspace.store.postgres.group_commits import GroupCommits, Outcome
from upspace.store.postgres.relations import open_ledger_txn, write_ledger_txn

PAIRS_MAX = 512
"""More pairs than that in a transaction gain little, and would keep others from their accounts for longer.

On a cluster each account of them is locked by a statement of its own. A single write may be larger.
"""

ACCOUNTS_MAX = 256
"""The same of accounts. Each that is new takes a place among the server's locks, which are some thousands for all."""


class _Pairs(NamedTuple):
    owner: int
    others: Sequence[int]
    decide: DecidePair


class _Account(NamedTuple):
    mid: int
    decide: Decide


class Writer:
    """Commits changes of pairs, and those of accounts, in groups; each kind in the order in which it comes."""

    def __init__(self, database: Database, *, distributed: bool) -> None:
        self._distributed = distributed
        self._pairs = GroupCommits(database, self._change_pairs_txn, PAIRS_MAX)
        self._accounts = GroupCommits(database, self._change_accounts_txn, ACCOUNTS_MAX, apart=True)

    async def change_pairs(self, owner: int, others: Sequence[int], decide: DecidePair) -> dict[int, Exception]:
        """As `Store.change_relations`."""
        asked = _Pairs(owner, others, decide)
        refused: dict[int, Exception] = await self._pairs.ask(asked, (owner, *others), len(others))
        return refused

    async def change_account(self, mid: int, decide: Decide) -> Profile:
        """As `Store.change_account`."""
        changed: Profile = await self._accounts.ask(_Account(mid, decide), (mid,), 1)
        return changed

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        await self._pairs.close()
        await self._accounts.close()

    async def _change_pairs_txn(self, db: Connection, group: Sequence[_Pairs]) -> list[Outcome]:
        """All pairs of all on one ledger; each is decided on what those before it left."""
        pairs = [(asked.owner, other) for asked in group for other in asked.others]
        ledger = await open_ledger_txn(db, pairs, distributed=self._distributed)
        outcomes = []
        for asked in group:
            if ledger.is_gone(asked.owner):
                gone = AccountDeletedError(f"account {asked.owner} is deleted, which is final")
                outcomes.append(Outcome(None, gone))
                continue
            refused: dict[int, Exception] = {}
            for other in asked.others:
                try:
                    ledger.decide(asked.owner, other, asked.decide)
                except Exception as error:
                    refused[other] = error
            outcomes.append(Outcome(refused))
        await write_ledger_txn(db, ledger, distributed=self._distributed)
        return outcomes

    async def _change_accounts_txn(self, db: Connection, group: Sequence[_Account]) -> list[Outcome]:
        """All accounts at once, each of which is there once."""
        changed = await change_txn(db, dict(group), distributed=self._distributed)
        return [
            Outcome(None, became) if isinstance(became, Exception) else Outcome(became)
            for became in (changed[mid] for mid, _ in group)
        ]
