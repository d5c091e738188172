"""docs/testing.md: its tables are what the code says, and its examples run."""

import re
from pathlib import Path

import pytest

from upspace.testing import Upspace
from upspace.wire.endpoints import ENDPOINTS, Endpoint, Login
from upspace.wire.faults import SUMMARIES, Shape

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")

PYTHON = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, re.DOTALL))

BOT = """
import httpx

def followers(mid, base_url):
    while httpx.get(f"{base_url}/x/space/acc/info", params={"mid": mid}).json()["code"] == -352:
        pass
    return httpx.get(f"{base_url}/x/relation/stat", params={"vmid": mid}).json()["data"]["follower"]
"""

LOGIN = {Login.OPEN: "", Login.LISTS: "in profile `recent`", Login.REQUIRED: "yes"}


def endpoint_row(endpoint: Endpoint) -> str:
    paths = ", ".join(f"`{path}`" for path in endpoint.paths)
    return f"| `{endpoint.name}` | {endpoint.method} {paths} | {LOGIN[endpoint.login]} | {endpoint.section} |"


def table(head: str, rows: list[str]) -> str:
    return "\n".join((head, re.sub(r"[^|]+", "---", head), *rows)) + "\n"


def test_the_table_of_endpoints_is_the_endpoint_table() -> None:
    assert table("| name | path | login | contract |", [endpoint_row(endpoint) for endpoint in ENDPOINTS]) in PAGE


def test_the_table_of_faults_has_every_shape() -> None:
    rows = [f"| `{shape}` | {SUMMARIES[shape]} |" for shape in Shape]
    assert table("| shape | what your program gets |", rows) in PAGE


def first_sentence(method: object) -> str:
    """Of a docstring, on one line."""
    text = " ".join((method.__doc__ or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.:]) (?=[A-Z])", text)[0].removesuffix(".")


def method_row(name: str) -> str:
    method = getattr(Upspace, name, None)
    if method is None or isinstance(method, property):
        return f"| `{name}` | {first_sentence(method) if method else ATTRIBUTES[name]} |"
    return f"| `{name}(...)` | {first_sentence(method)} |"


ATTRIBUTES = {"url": "Where the server is reached", "clock": "The clock of the server: `now`, `set`, `advance`"}


def test_the_table_of_methods_has_all_there_are() -> None:
    names = [*ATTRIBUTES, *(name for name in vars(Upspace) if not name.startswith("_"))]
    assert table("| `upspace.` | what |", [method_row(name) for name in names]) in PAGE


def test_the_python_examples_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    files = {name: text for name, text in PYTHON.items() if name.startswith("test_")}
    assert len(files) == 6
    pytester.makepyfile(my_bot=BOT, **files)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=6)
    script = pytester.makepyfile(without_pytest=PYTHON["without_pytest"])
    assert pytester.runpython(script).stdout.lines == ["某UP", "0"]
    pytester.makeconftest(PYTHON["conftest"])
    pytester.makepyfile(
        test_set="""
        import httpx

        def test_it(upspace):
            assert httpx.get(upspace.url + "/x/relation/followers?vmid=5").json()["code"] == -101
            assert httpx.get(upspace.url + "/x/relation/stat?vmid=5").json()["data"]["follower"] == 10
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "test_set.py").assert_outcomes(passed=1)
