"""Files of a large community: heavy-tailed numbers of followings, and one account that all others follow."""

from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np

_BASE_TIME = 1_500_000_000
_TIME_SPAN_S = 250_000_000
# Followings of an account besides the star: a Pareto distribution, cut where the contract's quota is.
_ALPHA = 1.3
_FOLLOWINGS_MAX = 1_900
# How much more a popular account is drawn than others: the share of the first x of all accounts is x ** (1 / this).
_POPULARITY = 4.0
_MID_BITS = 31
_MID_STEP = 2_654_435_761
STAR = 1
"""The mid of the account that all others follow."""


class Files(NamedTuple):
    """The files, and how many rows they have. The rows are in no order that helps."""

    users: Path
    relations: Path
    accounts: int
    follows: int


def make_files(folder: Path, accounts: int, follows: int, seed: int = 1) -> Files:
    """The files of so many accounts besides the star, and so many follows; made unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"bulk-{seed}-{accounts}-{follows}"
    files = Files(folder / f"{name}-users.csv", folder / f"{name}-relations.csv", accounts + 1, follows)
    if files.users.exists() and files.relations.exists():
        return files
    random = np.random.default_rng(seed)
    with duckdb.connect() as db:
        db.execute("set enable_progress_bar = false")
        _write(db, _users(db, accounts), files.users)
        _write(db, _relations(db, random, accounts, follows), files.relations)
    return files


def mid_of(index: str) -> str:
    """SQL: the mid of the account of that index; the star has index 0."""
    return f"(1 + ({index} * {_MID_STEP}) % (1::bigint << {_MID_BITS}))"


def _users(db: duckdb.DuckDBPyConnection, accounts: int) -> str:
    db.execute(f"create temp table users as select range as index from range({accounts + 1})")  # noqa: S608  # numbers
    return (
        f"select {mid_of('index')} as mid, '用户' || index as name, ['男', '女', '保密'][index % 3 + 1] as sex,"  # noqa: S608  # ours
        " if(index % 4 = 0, '签名 ' || hash(index), '') as sign, index % 7 as level,"
        " if(index % 5 = 0, hash(index) % 1000000, 0) as archive_view from users"
    )


def _relations(db: duckdb.DuckDBPyConnection, random: Any, accounts: int, follows: int) -> str:
    keys = _pairs(random, accounts, follows - accounts)
    span = accounts + 1
    stars = np.arange(1, span, dtype=np.int64) * span
    keys = np.concatenate((keys, stars))
    random.shuffle(keys)
    times = _BASE_TIME + random.integers(0, _TIME_SPAN_S, len(keys))
    db.register("pairs", {"owner": keys // span, "other": keys % span, "mtime": times})
    return f"select {mid_of('owner')} as mid, {mid_of('other')} as fid, mtime from pairs"  # noqa: S608  # ours


def _pairs(random: Any, accounts: int, wanted: int) -> Any:
    """So many different pairs of accounts but the star, as owner * (accounts + 1) + other."""
    shares = np.minimum(random.pareto(_ALPHA, accounts), _FOLLOWINGS_MAX)
    shares /= shares.sum()
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < wanted:
        missing = wanted - len(keys)
        # Some will be there already, or be an account and itself.
        degrees = random.poisson(shares * missing * 1.05)
        owners = np.repeat(np.arange(1, accounts + 1, dtype=np.int64), np.minimum(degrees, _FOLLOWINGS_MAX))
        others = 1 + (accounts * random.random(len(owners)) ** _POPULARITY).astype(np.int64)
        new = owners * (accounts + 1) + others
        keys = np.unique(np.concatenate((keys, new[owners != others])))
    return random.permutation(keys)[:wanted]


def _write(db: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    partial = path.with_suffix(".partial")
    db.execute(f"copy ({query}) to '{partial}' (format csv, header)")
    partial.replace(path)
