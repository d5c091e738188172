"""What the documents say is so: replies printed in the README, settings, endpoints, codes, dependencies."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import httpx
import pytest

from upspace.data.columns import RELATION_COLUMNS, USER_COLUMNS, Column
from upspace.server.settings import all_settings
from upspace.wire.endpoints import ENDPOINTS
from upspace.wire.errors import TABLE
from upspace.wire.record import AccountRecord

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
README_ZH = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
CONTRACT = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
DEPENDENCIES = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")

PRINTED_AT = "http://127.0.0.1:8000"
EXAMPLE = re.compile(r"```sh\ncurl '([^']+)'\n```\n```json\n(.+)\n```")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of `upspace demo` with its defaults but for the port."""
    store = tmp_path_factory.mktemp("demo") / "community.db"
    command = [sys.executable, "-m", "upspace", "demo", "--port", "0", "--store", f"sqlite:///{store}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        listening = re.search(r"listening on (\S+),", process.stdout.readline())
        assert listening is not None
        yield listening[1]
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.parametrize("readme", [README, README_ZH], ids=["en", "zh"])
def test_each_request_in_the_readme_gives_the_reply_printed_beside_it(demo: str, readme: str) -> None:
    examples = EXAMPLE.findall(readme)
    assert len(examples) == readme.count("curl '") == 7
    for url, printed in examples:
        assert httpx.get(url.replace(PRINTED_AT, demo)).text.replace(demo, PRINTED_AT) == printed


def test_the_two_readmes_are_in_step() -> None:
    def shape(readme: str) -> list[str]:
        """Code blocks but for their remarks, the first column of tables, and the level of headings."""
        blocks = re.findall(r"```\w*\n(.*?)```", readme, re.DOTALL)
        cells = re.findall(r"^\| (`[^|]+`) \|", readme, re.MULTILINE)
        headings = re.findall(r"^(#+) ", readme, re.MULTILINE)
        code = [line.split(" #")[0].rstrip() for block in blocks for line in block.splitlines()]
        return code + [cell.replace("、", ", ") for cell in cells] + headings

    assert shape(README) == shape(README_ZH)


@pytest.mark.parametrize("readme", [README, README_ZH], ids=["en", "zh"])
def test_every_setting_with_its_default_and_every_endpoint_is_in_the_readme(readme: str) -> None:
    for setting in all_settings():
        default = setting.default
        shown = default.value if isinstance(default, Enum) else default
        if isinstance(shown, bool):
            shown = "on" if shown else "off"
        cell = " |" if shown in (None, "") else f"`{shown}`"
        assert f"| `{setting.flag}` | `{setting.variable}` | {cell}" in readme
    for endpoint in ENDPOINTS:
        for path in endpoint.paths:
            assert f"`{path}`" in readme


def test_every_endpoint_and_code_is_in_the_contract() -> None:
    for endpoint in ENDPOINTS:
        for path in endpoint.paths:
            assert path in CONTRACT
    for code, error in TABLE.items():
        assert f"| {code} | `{error.message}` |" in CONTRACT


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (requirement for group in groups for requirement in group):
        name = re.match(r"[\w-]+", requirement)
        assert name is not None
        assert re.search(rf"`{name[0]}[`\[]", DEPENDENCIES), requirement


def test_documents_that_are_linked_exist() -> None:
    for readme in (README, README_ZH):
        for target in re.findall(r"\]\(((?!http)[^)#]+)", readme):
            assert (ROOT / target).exists(), target


@pytest.mark.parametrize("columns", [USER_COLUMNS, RELATION_COLUMNS], ids=["users", "relations"])
def test_the_columns_of_files_are_listed_as_they_are(columns: tuple[Column, ...]) -> None:
    table = "| column | what |\n|---|---|\n" + "".join(f"| `{of.name}` | {of.meaning} |\n" for of in columns)
    assert table in (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("field", AccountRecord.__struct_fields__)
def test_each_field_of_an_account_is_listed(field: str) -> None:
    listed = (
        (ROOT / "docs" / "admin.md").read_text(encoding="utf-8").partition("## Accounts")[2].partition("| request |")[0]
    )
    assert f"`{field}`" in listed
