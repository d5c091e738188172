"""Tokens in every store: whom they name and how long, how they are listed and revoked."""

import pytest
from every_engine import Run
from store_oracle import BIGGEST, profile, token

from upspace.model import AccountState, Standing, Viewer
from upspace.store.interface import Store, UnknownAccountsError


def test_a_token_names_its_account_until_it_expires(store: Store, run: Run) -> None:
    suspended = Standing(2, AccountState.SUSPENDED)
    run(store.load([profile(1), profile(2, standing=suspended)], []))
    short, forever = token("short", 1, expires=100), token("forever", 2, note="for tests")
    run(store.put_token(short))
    run(store.put_token(forever))
    assert run(store.viewer(short.digest, 99)) == Viewer(1, AccountState.NORMAL)
    assert run(store.viewer(short.digest, 100)) is None
    assert run(store.viewer(forever.digest, BIGGEST)) == Viewer(2, AccountState.SUSPENDED)
    assert run(store.viewer(token("unknown", 1).digest, 0)) is None
    assert run(store.viewer(short.digest[:-1], 0)) is None
    assert run(store.viewer(b"", 0)) is None


def test_tokens_are_listed_by_account_and_age(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), []))
    given = [
        token("a", 2, 5),
        token("b", 1, 30, expires=40, note="n"),
        token("c", 1, 10),
        token("d", 2, 1),
        token("e", 1, 20, revoked=21),
    ]
    for each in given:
        run(store.put_token(each))
    in_order = sorted(given, key=lambda each: (each.mid, each.issued))
    assert run(store.tokens()) == in_order
    assert run(store.tokens(1)) == in_order[:3]
    assert run(store.tokens(3)) == []


def test_a_token_needs_an_account_that_exists(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    run(store.delete_account(1, 5))
    for mid in (1, 404):
        with pytest.raises(UnknownAccountsError, match=str(mid)):
            run(store.put_token(token("t", mid)))
    assert run(store.tokens()) == []


def test_tokens_of_an_account_are_revoked_together_and_once(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), []))
    mine, also_mine, other = token("a", 1), token("b", 1), token("c", 2)
    for each in (mine, also_mine, other):
        run(store.put_token(each))
    assert [run(store.revoke_tokens(now, mid=1)) for now in (50, 60)] == [2, 0]
    assert run(store.viewer(mine.digest, 49)) is None
    assert run(store.viewer(other.digest, 51)) == Viewer(2, AccountState.NORMAL)
    assert [each.revoked for each in run(store.tokens())] == [50, 50, None]


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 63, 64])
def test_a_token_is_revoked_by_the_beginning_of_its_digest(store: Store, run: Run, length: int) -> None:
    run(store.load([profile(1)], []))
    all_tokens = [token(str(number), 1) for number in range(40)]
    for each in all_tokens:
        run(store.put_token(each))
    prefix = all_tokens[7].digest.hex()[:length]
    matching = [each.digest for each in all_tokens if each.digest.hex().startswith(prefix)]
    assert run(store.revoke_tokens(50, digest_prefix=prefix)) == len(matching)
    revoked = [each.digest for each in run(store.tokens()) if each.revoked == 50]
    assert sorted(revoked) == sorted(matching)


def test_a_prefix_in_capitals_means_the_same_digest(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    run(store.put_token(token("a", 1)))
    assert run(store.revoke_tokens(50, digest_prefix=token("a", 1).digest.hex().upper()[:9])) == 1


@pytest.mark.parametrize(
    "prefix",
    [
        "0" * 64,
        "zz",
        "' or 1=1",
        "f" * 65,
        "%",
        "_",
    ],
)
def test_a_prefix_of_no_digest_revokes_nothing(store: Store, run: Run, prefix: str) -> None:
    run(store.load([profile(1)], []))
    run(store.put_token(token("a", 1)))
    assert run(store.revoke_tokens(50, digest_prefix=prefix)) == 0
    assert run(store.tokens()) == [token("a", 1)]


def test_revoking_counts_the_tokens_that_held_until_now(store: Store, run: Run) -> None:
    run(store.load([profile(1)], []))
    run(store.put_token(token("a", 1, expires=20)))
    run(store.put_token(token("b", 1)))
    assert run(store.revoke_tokens(50, mid=1)) == 1


def test_a_deletion_voids_the_tokens_of_the_account_alone(store: Store, run: Run) -> None:
    run(store.load(map(profile, (1, 2)), []))
    mine, earlier, other = token("a", 1, 10), token("b", 1, 20, revoked=30), token("c", 2)
    for each in (mine, earlier, other):
        run(store.put_token(each))
    run(store.delete_account(1, 77))
    assert run(store.viewer(mine.digest, 1)) is None
    assert run(store.viewer(other.digest, 1)) == Viewer(2, AccountState.NORMAL)
    assert [each.revoked for each in run(store.tokens())] == [77, 30, None]
