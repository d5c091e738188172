"""The rows that all servers answer from, made once and kept, and the accounts to ask for."""

import asyncio
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import apsw
from cases import Targets
from results import Dataset
from tqdm import tqdm

from upspace.data.community import Community, settle
from upspace.store import migrate_store, open_store

T = TypeVar("T")

FOLDER = Path(__file__).with_name(".data")

_QUERIES = {
    Targets.EVERYONE: "select mid from account order by mid",
    Targets.FOLLOWED: """
        select owner from follower join standing on standing.mid = owner
        where not hides_followers and state <> 2
        group by owner having count(*) >= 20 order by owner
    """,
    Targets.FOLLOWING: """
        select owner from relation join standing on standing.mid = owner
        where attribute = 2 and not hides_followings and state <> 2
        group by owner having count(*) >= 20 order by owner
    """,
    Targets.MOST_FOLLOWED: """
        select owner from follower join standing on standing.mid = owner
        where not hides_followers and state <> 2
        group by owner order by count(*) desc, owner limit 1
    """,
}


def build_dataset(folder: Path, plan: Community) -> Path:
    """The store of the planned community, a file in `folder`; it is made unless it is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.resolve() / f"community-{plan.seed}-{plan.account_count}-{plan.relation_count}.db"
    asyncio.run(_settle(f"sqlite:///{path}", plan))
    return path


def opened(path: Path) -> closing[apsw.Connection]:
    """The rows, for reading only, until the end of a `with`."""
    return closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY))


def find_targets(path: Path) -> dict[Targets, list[int]]:
    """The accounts that each kind of target is drawn from. Deleted accounts have no row in `account`."""
    with opened(path) as db:
        return {kind: [mid for (mid,) in db.execute(query)] for kind, query in _QUERIES.items()}


def count_rows(path: Path, seed: int, most_followed: int) -> Dataset:
    """How many rows there are, and how many followers of the most followed account."""
    with opened(path) as db:
        [(accounts, relations, followers)] = db.execute(
            "select (select count(*) from account), (select count(*) from relation),"
            " (select count(*) from follower where owner = ?)",
            (most_followed,),
        )
    return Dataset(seed=seed, accounts=accounts, relations=relations, most_followers=followers)


async def _settle(url: str, plan: Community) -> None:
    await migrate_store(url)
    store = await open_store(url)
    try:
        await settle(store, plan, _progress)
    finally:
        await store.close()


def _progress(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    return iter(tqdm(items, desc=what, total=total, unit_scale=True, file=sys.stderr))
