"""Reads of relations, lists and figures: all that may come from a replica."""

from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from typing import Any, Protocol, TypeVar

from upspace.model import Counters, Figures, Group, Listed, Listing, ListOwner, Page, Relation, Standing, Upstat, Window
from upspace.store.ledger import Key
from upspace.store.postgres.combined import of_many_owners, with_newest_change
from upspace.store.postgres.connection import Record, mapping
from upspace.store.postgres.gather import Gathered
from upspace.store.postgres.relations import QUERIES, columns, relations_of
from upspace.store.rows import read_standing
from upspace.wire.codes import GROUP_DEFAULT, MID_MAX

R = TypeVar("R", bound=Record | None)

_NO_OWNER = ListOwner()
# An imported account may follow more than memory should hold, and than others should wait for.
_SIFTED_AT_ONCE = 5_000
# No mid and no time is later.
_LAST = MID_MAX


_GATHERED = ("followers_desc", "followers_asc", "followings_desc", "followings_asc")
# All reads whose answer is of no use without the number of the newest change.
_DATED = (
    *_GATHERED,
    "figures",
    "followers_after",
    "followings_special_desc",
    "followings_special_asc",
    "whispers",
    "blacks",
    "friends",
    "group_members",
    "group_members_special",
    "ungrouped",
)

_PAGES = {name: of_many_owners(QUERIES[name]) for name in _GATHERED}
_DATED_PAGES = {name: with_newest_change(sql) for name, sql in _PAGES.items()}
_DATED_QUERIES = {name: with_newest_change(QUERIES[name]) for name in _DATED}


class Source(Protocol):
    """Where rows come from: a database, or a replica with its primary behind it."""

    async def fetch(self, query: str, *values: Any) -> list[Record]:
        """The rows of a read."""
        ...

    async def row(self, query: str, *values: Any) -> Record | None:
        """The one row of a read, or None."""
        ...


class Reader:
    """What `Store` says of its reads of the same names. `changes` gives the number of the newest change, for None.

    Pages of many owners are read at once as well, unless the store is `distributed`: a cluster sends a statement about
    one owner to the node that has it, and knows no statement that reads a page of each of many.

    The number of the newest change comes along with the rows, unless it is to be had `apart`: from the primary of a
    replica, from the coordinator of a cluster.
    """

    def __init__(self, source: Source, changes: Gathered[None, int], *, distributed: bool, apart: bool) -> None:
        self._source = source
        self._changes = changes
        self._apart = apart
        self._dated_queries = {name: QUERIES[name] for name in _DATED} if apart else _DATED_QUERIES
        self._page_queries = _PAGES if apart else _DATED_PAGES
        self._pages = {} if distributed else {name: Gathered(partial(self._fetch_pages, name)) for name in _GATHERED}
        self._standings = Gathered(self._fetch_standings)
        self._counters = Gathered(self._fetch_counters)
        self._figures = Gathered(self._fetch_figures)
        self._upstats = Gathered(self._fetch_upstats)
        self._relations = Gathered(self._fetch_relations)

    async def standing(self, mid: int) -> Standing | None:
        """State, privacy flags and counters."""
        return await self._standings.one(mid)

    async def counters(self, mid: int) -> Counters | None:
        """The counters alone."""
        return await self._counters.one(mid)

    async def figures(self, mid: int) -> Figures | None:
        """What a card shows of counters and totals."""
        row, newest = await self._with_change(self._figures.one(mid))
        return None if row is None else Figures(newest, *row[1:6])

    async def upstat(self, mid: int) -> Upstat | None:
        """The totals of an uploader."""
        return await self._upstats.one(mid)

    async def relations(self, owner: int, others: Collection[int]) -> dict[int, Relation]:
        """The relations of `owner` to `others`."""
        found = await self._relations.many([(owner, other) for other in others])
        return {other: relation for (_, other), relation in found.items()}

    async def followers(self, vmid: int, window: Window) -> Page:
        """A page of the list of followers."""
        if window.after is not None:
            return await self._page("followers_after", vmid, window, window.after.mtime, window.after.mid)
        return await self._page("followers_asc" if window.ascending else "followers_desc", vmid, window)

    async def followings(self, vmid: int, window: Window, special_first: bool) -> Page:
        """A page of the list of followings."""
        name = "followings_special_" if special_first else "followings_"
        return await self._page(name + ("asc" if window.ascending else "desc"), vmid, window)

    async def followers_rank(self, vmid: int, row: Listed, limit: int) -> int:
        """How many followers are as new or newer."""
        found = await self._source.row(QUERIES["followers_rank"], vmid, row.mtime, row.mid, limit)
        return found[0] if found else 0

    async def listing(self, name: str, owner: int, window: Window, *more: int) -> Listing:
        """A page of one of the lists whose owner is known."""
        row, newest = await self._with_change(self._row(name, owner, window.size, window.start, *more))
        mids, mtimes, total, *_ = row
        return Listing(mids or [], mtimes or [], total, newest)

    async def group_members(self, owner: int, group_id: int, window: Window, special_first: bool) -> Listing:
        """The members of a group, or of none."""
        if group_id == GROUP_DEFAULT:
            return await self.listing("ungrouped", owner, window)
        return await self.listing(
            "group_members_special" if special_first else "group_members", owner, window, group_id
        )

    async def same_followings(self, owner: int, vmid: int, window: Window) -> Listing:
        """Whom both follow: the followings of one, and which of them the other has. They may be on different nodes."""

        async def both(mids: list[int]) -> set[int]:
            return {row[0] for row in await self._source.fetch(QUERIES["followed_of"], vmid, mids)}

        return await self._sifted(owner, window, both)

    async def search_followings(self, vmid: int, text: str, nameless: bool, window: Window) -> Listing:
        """Followings by name: the followings of the owner, and their names."""
        folded = text.casefold()

        async def named(mids: list[int]) -> set[int]:
            names = mapping(await self._source.fetch(QUERIES["names"], mids))
            return {mid for mid in mids if (folded in names[mid].casefold() if mid in names else nameless)}

        return await self._sifted(vmid, window, named)

    async def groups(self, owner: int) -> list[Group]:
        """The own groups."""
        return [Group(*row) for row in await self._source.fetch(QUERIES["groups"], owner)]

    async def group_counts(self, owner: int) -> dict[int, int]:
        """How many are in each group."""
        return mapping(await self._source.fetch(QUERIES["group_counts"], owner))

    async def _sifted(self, owner: int, window: Window, choose: Callable[[list[int]], Awaitable[set[int]]]) -> Listing:
        """The page of those followings, newest first, that `choose` picks of some at a time; `total` counts all."""
        newest = await self._changes.ask((None,))
        mids: list[int] = []
        mtimes: list[int] = []
        total = 0
        mtime, mid = _LAST, _LAST
        while rows := await self._source.fetch(QUERIES["followings_from"], owner, mtime, mid, _SIFTED_AT_ONCE):
            chosen = await choose([row[0] for row in rows])
            for mid, mtime in rows:
                if mid in chosen:
                    if window.start <= total < window.start + window.size:
                        mids.append(mid)
                        mtimes.append(mtime)
                    total += 1
            if len(rows) < _SIFTED_AT_ONCE:
                break
            mid -= 1
        return Listing(mids, mtimes, total, newest[None])

    async def _page(self, name: str, vmid: int, window: Window, *more: int) -> Page:
        row, newest = await self._with_change(self._row(name, vmid, window.size, window.start, *more))
        mids, mtimes, hides_followings, hides_followers, following, follower, *_ = row
        owner = _NO_OWNER if following is None else ListOwner(hides_followings, hides_followers, following, follower)
        return Page(owner, mids or [], mtimes or [], newest)

    async def _with_change(self, read: Coroutine[Any, Any, R]) -> tuple[R, int]:
        """The row that `read` brings, and the number of the newest change by then; 0 where there is no row."""
        if not self._apart:
            row = await read
            return row, 0 if row is None else row["newest_change"]
        newest = self._changes.ask((None,))
        try:
            row = await read
        except BaseException:
            newest.cancel()
            raise
        if row is None:
            newest.cancel()
            return row, 0
        return row, (await newest)[None]

    async def _row(self, name: str, *values: int) -> Record:
        pages = self._pages.get(name)
        if pages is not None:
            return (await pages.ask((values,)))[values]
        (row,) = await self._source.fetch(self._dated_queries[name], *values)
        return row

    async def _fetch_pages(self, name: str, keys: list[tuple[int, ...]]) -> dict[tuple[int, ...], Record]:
        rows = await self._source.fetch(self._page_queries[name], *columns(keys))
        return {keys[row["number"] - 1]: row for row in rows}

    async def _fetch_standings(self, mids: list[int]) -> dict[int, Standing]:
        return {row[0]: read_standing(row) for row in await self._source.fetch(QUERIES["standings"], mids)}

    async def _fetch_counters(self, mids: list[int]) -> dict[int, Counters]:
        rows = await self._source.fetch(QUERIES["counters"], mids)
        return {mid: Counters(*counts) for mid, *counts in rows}

    async def _fetch_figures(self, mids: list[int]) -> dict[int, Record]:
        return {row[0]: row for row in await self._source.fetch(self._dated_queries["figures"], mids)}

    async def _fetch_upstats(self, mids: list[int]) -> dict[int, Upstat]:
        return {row[0]: Upstat(*row[1:]) for row in await self._source.fetch(QUERIES["upstats"], mids)}

    async def _fetch_relations(self, keys: list[Key]) -> dict[Key, Relation]:
        return relations_of(await self._source.fetch(QUERIES["relations"], *columns(keys)))
