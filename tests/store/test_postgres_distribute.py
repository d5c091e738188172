"""Spreading the tables of a store over a cluster, tried with a stand-in for Citus."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from citus_stand_in import STAND_IN, as_if_distributed, ask
from cluster_forms import APART, DISTRIBUTED
from conftest import Ran

from upspace.store import distribute_store
from upspace.store.interface import StoreUnavailableError
from upspace.store.urls import without_password


def test_without_a_cluster_nothing_is_spread_and_one_line_says_so(
    postgres_url: str, run_upspace: Callable[..., Ran]
) -> None:
    why = f"{without_password(postgres_url)} has no Citus to spread tables with: add its nodes and run"
    with pytest.raises(StoreUnavailableError) as refused:
        asyncio.run(distribute_store(postgres_url))
    assert str(refused.value).startswith(why)
    ran = run_upspace("migrate", "--distribute", "--store", postgres_url)
    assert (ran.code, ran.err) == (1, f"upspace: {refused.value}\n")


def test_a_file_cannot_be_spread(tmp_path: Path, run_upspace: Callable[..., Ran]) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    ran = run_upspace("migrate", "--distribute", "--store", url)
    assert (ran.code, ran.err) == (1, f"upspace: {url} cannot be spread over nodes: only PostgreSQL with Citus can\n")


def test_the_tables_are_spread_once_each_by_its_own_column(postgres_url: str, run_upspace: Callable[..., Ran]) -> None:
    ask(postgres_url, *STAND_IN.split(";"))
    ran = run_upspace("migrate", "--distribute", "--store", postgres_url)
    assert (ran.code, ran.err) == (0, "")
    prefix, _, names = ran.out.splitlines()[-1].partition(": ")
    assert prefix == "spread over the nodes"
    assert sorted(names.split(", ")) == sorted(DISTRIBUTED)
    spread = ask(postgres_url, "select logicalrelid::text, spread_by, beside from pg_dist_partition")
    beside = {name: "none" if name in {"standing", *APART} else "standing" for name in DISTRIBUTED}
    assert sorted(spread) == sorted((name, column, beside[name]) for name, column in DISTRIBUTED.items())
    again = run_upspace("migrate", "--distribute", "--store", postgres_url)
    assert again.out.endswith("\nspread over the nodes: nothing more, all tables are\n")
    assert asyncio.run(distribute_store(postgres_url)) == []


def test_tables_that_were_not_spread_yet_are_spread_beside_the_others(postgres_url: str) -> None:
    as_if_distributed(postgres_url)
    ask(postgres_url, "delete from pg_dist_partition where logicalrelid in ('token'::regclass, 'grouped'::regclass)")
    assert asyncio.run(distribute_store(postgres_url)) == ["grouped", "token"]


def test_a_spreading_that_fails_in_the_middle_leaves_no_table_spread(postgres_url: str) -> None:
    ask(
        postgres_url,
        *STAND_IN.split(";"),
        """create function refuse() returns trigger language plpgsql as $$ begin raise 'a node is away'; end $$""",
        """create trigger refuse before insert on pg_dist_partition
        for each row when (new.logicalrelid = 'relation'::regclass) execute function refuse()""",
    )
    with pytest.raises(StoreUnavailableError, match="a node is away"):
        asyncio.run(distribute_store(postgres_url))
    assert ask(postgres_url, "select from pg_dist_partition") == []
    ask(postgres_url, "drop trigger refuse on pg_dist_partition")
    assert len(asyncio.run(distribute_store(postgres_url))) == len(DISTRIBUTED)
