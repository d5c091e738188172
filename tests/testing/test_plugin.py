"""The plugin in runs of pytest of its own: as its users have it, in parallel, in random order, and when tests fail."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from conftest import DEADLINE_S, read_line

MY_BOT = """
import httpx

def followers(mid, base_url):
    '''Waits out risk control, as bots do.'''
    with httpx.Client(base_url=base_url, trust_env=False) as client:
        while client.get("/x/space/acc/info", params={"mid": mid}).json()["code"] == -352:
            pass
        return client.get("/x/relation/stat", params={"vmid": mid}).json()["data"]["follower"]
"""

EXAMPLE = """
import my_bot

def test_my_bot(upspace):
    up = upspace.account(name="某UP", follower=1_000_000)
    upspace.fail("/x/space/acc/info", "risk", times=2)
    assert my_bot.followers(up.mid, base_url=upspace.url) == 1_000_000
    assert upspace.requests("/x/space/acc/info").count == 3
"""

# Each world is empty but for what the test itself makes, and its mids are the same in each.
TWO_HUNDRED = """
import httpx
import pytest

PROGRAM = httpx.Client(trust_env=False)

@pytest.fixture(scope="session", autouse=True)
def ended():
    yield
    PROGRAM.close()

@pytest.mark.parametrize("number", range(200))
def test_no_test_sees_the_data_of_another(upspace, number):
    assert upspace.requests().count == 0
    up = upspace.account(f"account {number}")
    assert up.mid == 10_001
    upspace.add_followers(up, number % 3)
    upspace.fail("card", "busy")
    upspace.clock.set(number)
    url = f"{upspace.url}/x/relation/stat?vmid={up.mid}"
    assert PROGRAM.get(url).json()["data"]["follower"] == number % 3
    assert upspace.requests().count == 1
    assert upspace.requests().last.time == number
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with the bot in it, whose tests run without what the environment says to this run."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    pytester.makepyfile(my_bot=MY_BOT)
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    return pytester


def test_the_example_of_the_docs_needs_no_conftest(run: pytest.Pytester) -> None:
    run.makepyfile(EXAMPLE)
    run.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("-n", "2", "--random-order")], ids=str)
def test_two_hundred_tests_are_apart_in_parallel_and_in_any_order(
    run: pytest.Pytester, options: tuple[str, ...]
) -> None:
    run.makepyfile(TWO_HUNDRED)
    run.runpytest_subprocess("-p", "no:cacheprovider", *options).assert_outcomes(passed=200)


def test_settings_and_what_every_test_starts_with_are_overridden_in_a_conftest(run: pytest.Pytester) -> None:
    run.makeconftest("""
        import pytest

        @pytest.fixture(scope="session")
        def upspace_settings():
            return {"profile": "recent", "limit_address_reads": "2/60"}

        @pytest.fixture(scope="session")
        def upspace_setup():
            def setup(upspace):
                upspace.account("there already", mid=5)
            return setup
    """)
    run.makepyfile("""
        import httpx
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_it(upspace, number):
            ask = lambda path: httpx.get(upspace.url + path, trust_env=False).json()
            assert ask("/x/relation/followers?vmid=5")["code"] == -101
            assert ask("/x/space/acc/info?mid=5")["data"]["name"] == "there already"
            assert ask("/x/space/acc/info?mid=5")["code"] == -799
            upspace.clock.advance(30)
            assert ask("/x/space/acc/info?mid=5")["code"] == 0
            upspace.account("another")
            assert upspace.account().mid == 10_002
            with upspace.client(5) as mine:
                assert [mine.nav().uname for _ in range(5)] == ["there already"] * 5
    """)
    run.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)


def test_a_setting_that_cannot_be_and_a_server_that_does_not_start_say_so(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import pytest
        from upspace.testing import ServerError, SettingsError, serving

        def test_it():
            with pytest.raises(SettingsError, match="profile"):
                with serving(profile="none"):
                    pass
            with pytest.raises(ServerError, match="no such file"):
                with serving(store="sqlite:///nowhere/store.db"):
                    pass
            for wrong, said in (
                ({"profle": "recent"}, "profle: there is no such setting, but there is profile"),
                ({"tls": True}, "tls: "),
                ({"control": False}, "control: "),
            ):
                with pytest.raises(SettingsError, match=said):
                    with serving(**wrong):
                        pass
            with serving(public_url="http://up.invalid") as upspace:
                assert upspace.account().mid == 10_001
    """)
    run.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_what_a_test_has_kept_is_gone_in_the_next(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import pytest
        from upspace.testing import ControlError

        @pytest.mark.parametrize("number", range(2))
        def test_it(upspace, number):
            with pytest.raises(ControlError, match="there is no snapshot start"):
                upspace.restore("start")
            upspace.account()
            upspace.snapshot("start")
            upspace.client().finger_spi()
            assert upspace.account().mid == 10_002
    """)
    run.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_a_server_that_has_ended_is_told_by_every_test(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import os
        import signal
        import pytest

        def test_that_kills_it(upspace):
            os.killpg(upspace._server._process.pid, signal.SIGKILL)
            upspace._server._process.wait()
            upspace.account()

        def test_that_finds_it_dead(upspace):
            pass
    """)
    result = run.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ServerError: the server has ended with exit code -9*",
            "*ServerError: the server has ended with exit code -9*",
        ]
    )


def test_a_failed_test_shows_the_requests_that_the_server_had(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import my_bot

        def test_that_fails(upspace):
            upspace.fail("acc_info", "risk", times=1)
            my_bot.followers(7, base_url=upspace.url)
            assert upspace.requests("acc_info", mid=8).count == 1

        def test_that_passes(upspace):
            my_bot.followers(9, base_url=upspace.url)
    """)
    result = run.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*AssertionError: assert 0 == 1",
            "*where 0 = 0 of requests acc_info?mid=8*",
            "*upspace: requests call*",
            "GET /x/space/acc/info?mid=7 -> HTTP 200, code -352 (risk)",
            "GET /x/space/acc/info?mid=7 -> HTTP 200, code -404",
            "GET /x/relation/stat?vmid=7 -> HTTP 200, code 0",
        ]
    )
    assert "mid=9" not in result.stdout.str()


def test_a_run_without_the_fixture_imports_nothing_and_starts_nothing(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import sys

        def test_it():
            assert "upspace.testing.plugin" in sys.modules
            early = {"httpx", "msgspec", "apsw", "uvloop", "upspace.testing.world", "upspace.server.settings"}
            assert not early & set(sys.modules)
    """)
    run.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly").assert_outcomes(passed=1)


def test_the_server_ends_with_a_run_that_is_killed(run: pytest.Pytester) -> None:
    run.makepyfile("""
        import os
        import time

        def test_it(upspace, capsys):
            with capsys.disabled():
                print("serving at", upspace.url, flush=True)
            time.sleep(1000)
    """)
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=run.path) as process:
        assert process.stdout is not None
        line = ""
        while "serving at" not in line:
            line = read_line(process.stdout)
            assert line, "the run ended before it served"
        host, port = line.split("http://")[1].strip().split(":")
        with socket.create_connection((host, int(port)), DEADLINE_S) as connection:
            os.kill(process.pid, signal.SIGKILL)
            # It stays open for as long as the server runs.
            assert connection.recv(1) == b""
