"""The life of every store: going back to a snapshot, and the end when it is closed."""

import pytest
from every_engine import Run
from store_oracle import follow, profile

from upspace.model import Counters
from upspace.store.interface import Store, StoreError, StoreLastsError


def test_a_store_in_memory_goes_back_to_what_it_was_and_one_that_lasts_refuses(store: Store, run: Run) -> None:
    run(store.load([profile(1), profile(2)], [follow(1, 2)]))
    if store.url != "sqlite://":
        with pytest.raises(StoreLastsError, match="only a store in memory"):
            run(store.snapshot())
        with pytest.raises(StoreLastsError, match="only a store in memory"):
            run(store.restore(b""))
        assert run(store.counters(2)) == Counters(0, 0, 0, 1)
        return
    empty_change = run(store.newest_change())
    snapshot = run(store.snapshot())
    group = run(store.create_group(1, lambda _: "a group"))
    run(store.load([profile(3)], [follow(3, 2), follow(2, 1)]))
    run(store.delete_account(1, 5))
    for _ in range(2):
        run(store.restore(snapshot))
        assert run(store.counters(1)) == Counters(1, 0, 0, 0)
        assert run(store.counters(2)) == Counters(0, 0, 0, 1)
        assert run(store.profile(3)) is None
        assert run(store.groups(1)) == []
        assert run(store.newest_change()) == empty_change
        assert run(store.create_group(1, lambda _: "a group")) == group


def test_a_store_may_be_closed_twice(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    run(store.close())
    run(store.close())
    with pytest.raises(StoreError):
        run(store.account(1))
