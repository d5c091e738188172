"""What was gathered goes into a store in use through the interface by which everybody writes, in small groups.

An import that was interrupted is run again: what it did already it finds done.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from upspace.data.columns import COUNTERS, DECORATIONS, MODE_TEXTS, STATE_TEXTS, STATISTICS, USER_COLUMNS
from upspace.data.importing.staging import Staging
from upspace.model import AccountState, Change, CounterMode, Group, Pair, Profile, Relation
from upspace.records import profile_of, record_of
from upspace.store.interface import AccountDeletedError, Store
from upspace.store.moving import Watch
from upspace.store.tables import Row
from upspace.wire.codes import ATTRIBUTE_BLACK, ATTRIBUTE_FOLLOWING, ATTRIBUTE_MUTUAL, ATTRIBUTES_OF_FOLLOWS
from upspace.wire.errors import BadRequestError
from upspace.wire.record import read_record

T = TypeVar("T")

_MIDS_ASKED_AT_ONCE = 1_000
_ACCOUNTS_AT_ONCE = 256
# Whoever else writes waits for no more than these.
_RELATIONS_AT_ONCE = 2_000

_NAMES = [column.name for column in USER_COLUMNS]


class RefusedError(Exception):
    """Why a row cannot be taken into the store as it is now."""


async def learn_accounts(staging: Staging, store: Store, watch: Watch) -> None:
    """Note which of the accounts that are mentioned the store knows, and what relations there are to deleted ones.

    Raises StoreError, as the others here do.
    """
    done = 0
    for rows in staging.batches("mentioned_mids"):
        for mids in _parts([mid for (mid,) in rows], _MIDS_ASKED_AT_ONCE):
            living = await store.accounts(mids)
            others = await asyncio.gather(*(store.standing(mid) for mid in mids if mid not in living))
            known = [(mid, False) for mid in living]
            known += [(of.mid, of.state is AccountState.DELETED) for of in others if of is not None]
            staging.add_rows("known", ("mid", "deleted"), ("bigint", "boolean"), known)
            done += len(mids)
            watch("looking up accounts", done, 0)
    for rows in staging.batches("relations_to_deleted"):
        related = [
            (mid, fid)
            for mid, of_mid in groupby(rows, itemgetter(0))
            for fid in await store.relations(mid, [fid for _, fid in of_mid])
        ]
        staging.add_rows("known_relation", ("mid", "fid"), ("bigint", "bigint"), related)


async def learn_groups(staging: Staging, store: Store) -> None:
    """Note the groups that owners have already whose files name groups but do not bring them."""
    for rows in staging.batches("owners_of_groups_not_given"):
        known = [(owner, group.id, group.name) for (owner,) in rows for group in await store.groups(owner)]
        staging.add_rows("known_group", ("owner", "given", "name"), ("bigint", "bigint", "varchar"), known)
    staging.run("add_known_groups")


async def merge(staging: Staging, store: Store, now: int, watch: Watch) -> None:
    """Write all that was gathered and resolved; `now` in unix seconds is when accounts are deleted."""
    way = _Way(watch)
    await _put_persons(staging, store, "persons", way)
    await _put_leaving(staging, store, way)
    await _put_groups(staging, store, way)
    await _put_relations(staging, store, way)
    # Each new relation counts for accounts that report their counters too; but those are as the files say.
    await _put_persons(staging, store, "reporting_persons", way)
    for rows in staging.batches("leaving_persons"):
        for mid, _ in rows:
            await store.delete_account(mid, now)
            way.went("deleting accounts", 1)


class _Way:
    """How far it is; how much there is in all is not asked for, as most of it goes quickly."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._what = ""
        self._done = 0

    def went(self, what: str, rows: int) -> None:
        self._done = rows if what != self._what else self._done + rows
        self._what = what
        self._watch(what, self._done, 0)


async def _put_persons(staging: Staging, store: Store, query: str, way: _Way) -> None:
    for rows in staging.batches(query):
        for part in _parts(rows, _ACCOUNTS_AT_ONCE):
            await _all_or_raise(_put_person(staging, store, row) for row in part)
            way.went("writing accounts", len(part))


async def _put_person(staging: Staging, store: Store, row: Row) -> None:
    source, mid, *_ = row
    given = {name: value for name, value in zip(_NAMES, row[1:], strict=True) if value is not None}

    def decide(known: Profile | None) -> Profile:
        return _changed(known, given)

    try:
        await store.change_account(mid, decide)
    except AccountDeletedError:
        _reject(staging, source, f"account {mid} is deleted, which is final")
    except BadRequestError as error:
        _reject(staging, source, str(error))


def _reject(staging: Staging, source: int, reason: str) -> None:
    """Note that a row could not be taken; an account that stands in no file has none."""
    if source:
        staging.add_rejects([(source, reason)])


def _changed(known: Profile | None, given: Mapping[str, Any]) -> Profile:
    """The account with everything as it is given, and the rest as it was."""
    record: dict[str, Any] = {} if known is None else msgspec.to_builtins(record_of(known))
    for name, value in given.items():
        if name in COUNTERS:
            record.setdefault("counters", {})[name] = value
        elif name in STATISTICS:
            record.setdefault("statistics", {})[name] = value
        elif name == "state":
            record[name] = STATE_TEXTS[value]
        elif name == "counter_mode":
            record[name] = MODE_TEXTS[value]
        elif name in ("official", "vip"):
            record.pop(name, None)
            record |= {name: msgspec.json.decode(value)} if value else {}
        elif name == "decorations":
            record = {other: kept for other, kept in record.items() if other not in DECORATIONS}
            record |= msgspec.json.decode(value) if value else {}
        elif name != "own_groups":
            record[name] = value
    if "counter_mode" not in given and given.keys() & COUNTERS:
        record["counter_mode"] = MODE_TEXTS[CounterMode.REPORTED]
    return profile_of(read_record(record))


async def _put_leaving(staging: Staging, store: Store, way: _Way) -> None:
    """Let accounts be there that are to be deleted in the end, so that relations to them can be written before."""
    for rows in staging.batches("leaving_persons"):
        new = [mid for mid, is_new in rows if is_new]
        await _all_or_raise(store.change_account(mid, _nobody(mid)) for mid in new)
        way.went("writing accounts", len(rows))


def _nobody(mid: int) -> Callable[[Profile | None], Profile]:
    def decide(known: Profile | None) -> Profile:
        return known or profile_of(read_record({"mid": mid, "name": "-"}))

    return decide


async def _put_groups(staging: Staging, store: Store, way: _Way) -> None:
    """Let each owner have the groups that are given, told by their names; note what ids they have."""
    for rows in staging.batches("groups_to_have"):
        ids = []
        for owner, of_owner in groupby(rows, itemgetter(0)):
            for _, given, name in of_owner:
                # An owner that was deleted meanwhile has no groups, and its relations are rejected in their turn.
                with suppress(AccountDeletedError):
                    ids.append((owner, given, await _group_id(store, owner, name)))
        staging.add_rows("group_id", ("owner", "given", "id"), ("bigint", "bigint", "bigint"), ids)
        way.went("writing groups", len(rows))


class _GroupThereError(Exception):
    """A group of that name is there already."""

    def __init__(self, group_id: int) -> None:
        self.group_id = group_id


async def _group_id(store: Store, owner: int, name: str) -> int:
    """The id of the owner's group of that name, which is made if there is none."""

    def decide(groups: Sequence[Group]) -> str:
        for group in groups:
            if group.name == name:
                raise _GroupThereError(group.id)
        return name

    try:
        return await store.create_group(owner, decide)
    except _GroupThereError as there:
        return there.group_id


async def _put_relations(staging: Staging, store: Store, way: _Way) -> None:
    staging.run("make_members")
    for rows in staging.batches("relations_to_have"):
        for part in _parts(list(map(_Wanted._make, rows)), _RELATIONS_AT_ONCE):
            owners = {mid: list(of_owner) for mid, of_owner in groupby(part, itemgetter(1))}
            await _all_or_raise(_put_relations_of(staging, store, mid, wanted) for mid, wanted in owners.items())
            way.went("writing relations", len(part))


class _Wanted(NamedTuple):
    """A relation as it shall be; None for what is not given."""

    source: int
    mid: int
    fid: int
    attribute: int | None
    mtime: int | None
    default_mtime: int
    re_src: int | None
    groups: list[int] | None


async def _put_relations_of(staging: Staging, store: Store, owner: int, wanted: Collection[_Wanted]) -> None:
    by_fid = {each.fid: each for each in wanted}

    def decide(pair: Pair) -> Change:
        return _decided(pair, by_fid[pair.fid])

    try:
        refused = await store.change_relations(owner, list(by_fid), decide)
    except AccountDeletedError:
        for each in wanted:
            _reject(staging, each.source, f"account {owner} is deleted")
        return
    for fid, error in refused.items():
        if not isinstance(error, RefusedError):
            raise error
        _reject(staging, by_fid[fid].source, str(error))


def _decided(pair: Pair, wanted: _Wanted) -> Change:
    """The pair as it shall be. What is not given stays as it is, or is the default if there was no relation.

    Raises RefusedError.
    """
    old, backward = pair.forward, pair.backward
    if pair.owner is None or pair.target is None:
        raise RefusedError(f"account {pair.mid if pair.owner is None else pair.fid} is unknown")
    if old is None:
        old = Relation(pair.mid, pair.fid, ATTRIBUTE_FOLLOWING, wanted.default_mtime)
        if pair.target.state is AccountState.DELETED:
            raise RefusedError(f"account {pair.fid} is deleted")
    attribute = old.attribute if wanted.attribute is None else wanted.attribute
    is_mutual = False
    if backward is not None and backward.attribute in ATTRIBUTES_OF_FOLLOWS:
        is_mutual = attribute in ATTRIBUTES_OF_FOLLOWS
        backward = replace(backward, attribute=ATTRIBUTE_MUTUAL if is_mutual else ATTRIBUTE_FOLLOWING)
    forward = replace(
        old,
        attribute=ATTRIBUTE_MUTUAL if is_mutual else attribute,
        mtime=old.mtime if wanted.mtime is None else wanted.mtime,
        re_src=old.re_src if wanted.re_src is None else wanted.re_src,
        groups=_groups(old, attribute, wanted.groups),
    )
    return Change(forward, backward)


def _groups(old: Relation, attribute: int, given: list[int] | None) -> tuple[int, ...]:
    if attribute == ATTRIBUTE_BLACK:
        return ()
    return old.groups if given is None else tuple(given)


def _parts(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


async def _all_or_raise(writes: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Do all of them at once. The first error is raised when none is under way any more."""
    for result in await asyncio.gather(*writes, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
