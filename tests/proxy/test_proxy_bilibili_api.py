"""bilibili-api-python as it is installed, through `upspace proxy` and by its own setting for a proxy."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import DEADLINE_S, serving
from proxy_people import CSRF, FANS, FOLLOWING, OTHER, START, TOKEN, UP, UP_RECORD, VIEWER, bare, fill, program, saying
from stores import asked

BLACK = 128
PROFILES = pytest.mark.parametrize("profile", ["seed", "recent"])


def told(url: str, folder: Path, profile: str, *signed_in: str) -> dict[str, Any]:
    """What the program prints. It knows of nothing but the proxy and the authority, and the proxy lets nothing out."""
    with (
        serving(folder, "serve", "--store", url, "--port", "0", "--profile", profile) as served,
        saying("proxy", "--upstream", served.url, "--port", "0", "--authority", str(folder / "authority"), lines=3) as (
            process,
            lines,
        ),
    ):
        assert process.stdout is not None
        process.stdout.readline()
        variables = dict(line.removeprefix("export ").rstrip("\n").split("=", 1) for line in lines)
        ran = subprocess.run(
            [
                sys.executable,
                program("bilibili_api_program.py"),
                variables["HTTPS_PROXY"],
                str(UP),
                str(OTHER),
                *signed_in,
            ],
            env=bare(SSL_CERT_FILE=variables["SSL_CERT_FILE"]),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert served.errors() == ""
    assert (ran.returncode, ran.stderr) == (0, "")
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def mids(page: dict[str, Any]) -> list[int]:
    return [item["mid"] for item in page["list"]]


@PROFILES
def test_signed_in(file_url: str, tmp_path: Path, profile: str) -> None:
    fill(file_url)
    found = told(file_url, tmp_path, profile, TOKEN, CSRF)

    for field in ("mid", "name", "sex", "sign", "level", "face", "official"):
        assert found["info"][field] == UP_RECORD[field]
    assert ("elec" in found["info"]) == (profile == "recent")
    stat = {"mid": UP, "following": 3, "whisper": 0, "black": 0, "follower": len(FANS)}
    assert found["stat"] == stat
    figures = UP_RECORD["statistics"]
    assert found["upstat"] == {
        "archive": {"view": figures["archive_view"]},
        "article": {"view": figures["article_view"]},
        "likes": figures["likes"],
    }

    newest = sorted(FANS, reverse=True)
    assert mids(found["followers"]) == newest[:20]
    assert [item["mtime"] for item in found["followers"]["list"]] == [START + mid for mid in newest[:20]]
    assert mids(found["second page"]) == newest[20:]
    assert mids(found["oldest"]) == newest[:-6:-1]
    assert found["followers"]["total"] == len(FANS)
    assert (mids(found["followings"]), found["followings"]["total"]) == (newest[-3:], 3)

    assert found["before"]["relation"]["attribute"] == 0
    assert found["followed"]["relation"]["attribute"] == FOLLOWING
    assert found["followed"]["be_relation"]["attribute"] == 0
    assert found["twice"] == {"refused": 22014}
    assert found["unfollowed"]["relation"]["attribute"] == 0

    group = found["group"]["tagid"]
    assert {"tagid": group, "name": "常看", "count": 2, "tip": ""}.items() <= found["groups"][-1].items()
    assert sorted(item["mid"] for item in found["members"]) == sorted([UP, OTHER])
    assert found["renamed"][-1]["name"] == "少看"
    assert mids(found["blacks"]) == [OTHER]
    assert (found["me"]["mid"], found["valid"]) == (VIEWER, True)

    kept = asked(file_url, lambda store: store.relations(VIEWER, [UP, OTHER]))
    follow, block = kept[UP], kept[OTHER]
    assert (follow.attribute, follow.groups) == (FOLLOWING, (group,))
    assert (block.attribute, block.groups) == (BLACK, ())


@PROFILES
def test_anonymous(file_url: str, tmp_path: Path, profile: str) -> None:
    fill(file_url)
    found = told(file_url, tmp_path, profile)
    assert found["info"]["name"] == UP_RECORD["name"]
    assert found["stat"]["follower"] == len(FANS)
    assert found["valid"] is False
