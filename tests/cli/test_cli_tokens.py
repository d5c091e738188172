"""`upspace token`."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import DEADLINE_S, Ran, client_of, command_line, environment, serving

Upspace = Callable[..., Ran]


@pytest.fixture
def run(run_upspace: Upspace, store_url: str) -> Upspace:
    """The command on a store with accounts 5 and 6."""
    for mid in (5, 6):
        record = json.dumps({"mid": mid, "name": f"name {mid}"}).encode()
        assert run_upspace("account", "add", "-", "--store", store_url, given=record).code == 0
    return lambda *arguments: run_upspace(*arguments, "--store", store_url)


def issue(run: Upspace, mid: int = 5, *options: str) -> dict[str, Any]:
    ran = run("token", "issue", str(mid), *options)
    assert (ran.code, ran.err) == (0, "")
    issued: dict[str, Any] = json.loads(ran.out)
    return issued


def listed(run: Upspace, *options: str) -> list[dict[str, Any]]:
    ran = run("token", "list", *options)
    assert (ran.code, ran.err) == (0, "")
    return [json.loads(line) for line in ran.out.splitlines()]


def refused(ran: Ran) -> str:
    assert ran.code != 0
    assert ran.out == ""
    assert ran.err.startswith("upspace: ")
    assert ran.err.count("\n") == 1, ran.err
    return ran.err


def signed_in(client: httpx.Client, token: str) -> bool:
    return bool(client.get("/x/space/myinfo", headers={"authorization": f"Bearer {token}"}).json()["code"] == 0)


def test_a_token_is_printed_once_and_never_again(run: Upspace) -> None:
    issued = issue(run, 5, "--note", "为什么")
    assert list(issued) == ["id", "mid", "token", "csrf", "expires"]
    assert (issued["mid"], issued["expires"]) == (5, None)
    assert len(issued["token"]) >= 32
    ran = run("token", "list")
    assert issued["token"] not in ran.out
    assert issued["csrf"] not in ran.out
    (line,) = listed(run)
    assert list(line) == ["id", "mid", "issued", "expires", "revoked", "note"]
    assert (line["id"], line["mid"], line["note"]) == (issued["id"], 5, "为什么")


def test_every_token_and_its_csrf_value_are_its_own(run: Upspace) -> None:
    issued = [issue(run) for _ in range(5)]
    for name in ("id", "token", "csrf"):
        assert len({one[name] for one in issued}) == 5
    assert not {one["csrf"] for one in issued} & {one["token"] for one in issued}


def test_a_token_signs_in_until_it_is_revoked_and_the_server_knows_at_once(
    run: Upspace, store_url: str, tmp_path: Path
) -> None:
    first, second, other = issue(run, 5), issue(run, 5), issue(run, 6)
    with serving(tmp_path, "serve", "--store", store_url, "--port", "0") as served, client_of(served) as client:
        assert all(signed_in(client, one["token"]) for one in (first, second, other))
        assert not signed_in(client, first["id"])
        assert run("token", "revoke", first["id"]) == Ran(0, "revoked: 1\n", "")
        assert [signed_in(client, one["token"]) for one in (first, second, other)] == [False, True, True]
        third = issue(run, 5)
        assert signed_in(client, third["token"])
        assert run("token", "revoke", "--mid", "5") == Ran(0, "revoked: 2\n", "")
        assert [signed_in(client, one["token"]) for one in (second, third, other)] == [False, False, True]
        assert run("account", "delete", "6", "--yes").code == 0
        assert not signed_in(client, other["token"])


def test_a_token_is_revoked_once(run: Upspace) -> None:
    issued = issue(run)
    assert run("token", "revoke", issued["id"].upper()).code == 0
    assert issued["id"] in refused(run("token", "revoke", issued["id"]))
    assert listed(run)[0]["revoked"] is not None
    assert run("token", "revoke", "--mid", "5") == Ran(0, "revoked: 0\n", "")


def test_a_list_is_of_all_accounts_or_of_one(run: Upspace) -> None:
    assert listed(run) == []
    ids = {mid: [issue(run, mid)["id"] for _ in range(2)] for mid in (5, 6)}
    assert {line["id"] for line in listed(run)} == {*ids[5], *ids[6]}
    assert {line["id"] for line in listed(run, "--mid", "6")} == set(ids[6])
    assert listed(run, "--mid", "7") == []


@pytest.mark.parametrize("days", [0.5, 1, 365])
def test_a_token_expires_after_its_days(run: Upspace, days: float) -> None:
    issued = issue(run, 5, "--days", str(days))
    (line,) = listed(run)
    assert line["expires"] == issued["expires"]
    held = datetime.fromisoformat(line["expires"]) - datetime.fromisoformat(line["issued"])
    assert held.total_seconds() == days * 86_400


@pytest.mark.parametrize("days", ["0", "-1", "x", "", "nan", "inf", "-inf", "1e300", "1e9", "4000000"])
def test_days_that_cannot_be_are_refused_and_leave_no_token(run: Upspace, days: str) -> None:
    refused(run("token", "issue", "5", "--days", days))
    assert listed(run) == []


@pytest.mark.parametrize("mid", ["7", "0", "-1", "x", "9223372036854775808"])
def test_no_token_is_issued_for_an_account_that_is_not_there(run: Upspace, mid: str) -> None:
    refused(run("token", "issue", mid))
    assert listed(run) == []


@pytest.mark.parametrize(
    "arguments", [(), ("",), ("x" * 12,), ("0" * 11,), ("0" * 12,), ("0" * 65,), ("%",), ("--mid", "0"), ("--mid", "x")]
)
def test_nothing_is_revoked_by_a_bad_id(run: Upspace, arguments: tuple[str, ...]) -> None:
    issued = issue(run)
    refused(run("token", "revoke", *arguments))
    refused(run("token", "revoke", issued["id"], "--mid", "5"))
    assert [line["revoked"] for line in listed(run)] == [None]


def test_a_note_that_is_no_text_is_refused_in_one_line(run: Upspace) -> None:
    refused(run("token", "issue", "5", "--note", "\udcff"))
    assert listed(run) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs a device that is always full")
def test_a_token_that_cannot_be_printed_does_not_hold(run: Upspace, store_url: str) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            command_line("token", "issue", "5", "--store", store_url),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=DEADLINE_S,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, b"upspace: No space left on device\n")
    (token,) = listed(run)
    assert token["revoked"] is not None


def test_no_token_is_issued_where_none_can_be_printed(run: Upspace, store_url: str) -> None:
    ran = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command_line("token", "issue", "5", "--store", store_url)],
        stderr=subprocess.PIPE,
        env=environment(),
        timeout=DEADLINE_S,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"upspace: no token is issued")
    assert listed(run) == []
