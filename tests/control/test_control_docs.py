"""What docs/control.md says is so: each reply printed beside a request, the fields of a rule, the table of shapes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import client_of, quiet_server

from upspace.server.control.interface import CONTROL_PATHS
from upspace.wire.control import UNRECORDED, FaultRule
from upspace.wire.faults import SUMMARIES, Shape

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "control.md").read_text(encoding="utf-8")
CONTRACT = (DOCS / "contract.md").read_text(encoding="utf-8")

PRINTED_AT = "http://127.0.0.1:8000"
EXAMPLE = re.compile(r"```sh\n(curl .+)\n```\n```json\n(.+)\n```")
# What is another value each time.
VARYING = re.compile(r'"(token|csrf|expires|user-agent|host)":"[^"]*"|"(id)":"[^"]*"|"(bytes)":[0-9]+')


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("docs")
    with quiet_server(folder, "--store", "sqlite://", "--control") as served, client_of(served) as client:
        yield client


def answer(client: httpx.Client, command: str) -> str:
    """What is answered to a request that is written as a curl command."""
    words = shlex.split(command)[1:]
    options = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
    assert options.keys() <= {"-X", "-d"}
    method = options.get("-X", "POST" if "-d" in options else "GET")
    body = options.get("-d")
    reply = client.request(method, words[-1].removeprefix(PRINTED_AT), content=None if body is None else body.encode())
    return reply.text


def settled(text: str) -> str:
    text = VARYING.sub(lambda found: f'"{found[1] or found[2] or found[3]}":""', text)
    # The time of the system, until the clock is set.
    return re.sub(r'"(now|time|taken)":[0-9.]+', lambda found: found[0] if "1735693200" in found[0] else "", text)


def test_each_request_of_the_document_gets_the_reply_printed_beside_it(client: httpx.Client) -> None:
    examples = EXAMPLE.findall(DOCUMENT)
    assert len(examples) == len(re.findall(r"^curl ", DOCUMENT, re.MULTILINE)) >= 20
    for command, printed in examples:
        assert settled(answer(client, command)) == settled(printed), command


def test_every_request_of_the_interface_is_listed_and_shown() -> None:
    commands = [command for command, _ in EXAMPLE.findall(DOCUMENT)]
    for method, path in CONTROL_PATHS:
        assert f"| `{method} {path}` |" in DOCUMENT
        pattern = re.compile(re.sub(r"\{[a-z]+\}", "[^/ ]+", path) + r"(['?]|$)")
        assert any(pattern.search(command) for command in commands), path
    assert len(re.findall(r"^\| `[A-Z]+ /-/", DOCUMENT, re.MULTILINE)) == len(CONTROL_PATHS)


def test_the_table_of_shapes_is_as_the_code_has_it() -> None:
    table = "| shape | what the client receives |\n|---|---|\n"
    table += "".join(f"| `{shape}` | {summary} |\n" for shape, summary in SUMMARIES.items())
    assert table in DOCUMENT


def test_every_field_of_a_rule_is_listed_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", DOCUMENT.replace("| |", "|  |"), re.MULTILINE))
    assert rows.keys() >= set(FaultRule.__struct_fields__)
    defaults = zip(
        FaultRule.__struct_fields__[-len(FaultRule.__struct_defaults__) :], FaultRule.__struct_defaults__, strict=True
    )
    for name, default in defaults:
        if default is not None:
            assert rows[name].strip("`") == str(default).removesuffix(".0"), name


def test_what_the_journal_leaves_out_is_named() -> None:
    assert all(f"`{name}`" in DOCUMENT for name in UNRECORDED - {"csrf_token"})


def test_every_shape_is_in_the_contract() -> None:
    section = CONTRACT.partition("## 11. Fault shapes")[2].partition("\n## ")[0]
    assert all(f"`{shape}`" in section for shape in Shape)
