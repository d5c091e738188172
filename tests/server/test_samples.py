"""The four sample bodies that the contract was written from (contract 13)."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import FIXTURES, Ran, Served, client_of, serving
from stores import Stores

from upspace.data.community import sample_records
from upspace.records import profile_of
from upspace.store import open_store

REQUESTS = {
    "acc_info": "/x/space/acc/info?mid=50995243&jsonp=jsonp",
    "card": "/x/web-interface/card?mid=50995243&photo=1",
    "upstat": "/x/space/upstat?mid=524144317",
    "relation_stat": "/x/relation/stat?vmid=5818410&jsonp=jsonp",
}

DEMO = ("demo", "--accounts", "1000", "--relations", "20000", "--port", "0")


def in_order(text: str) -> Any:
    """A JSON value with each object as a list of pairs, so that the order of keys counts."""
    return json.loads(text, object_pairs_hook=list)


def fixture_text(name: str) -> str:
    return (FIXTURES / f"{name}.json").read_text(encoding="utf-8")


def records_of_the_fixtures() -> list[dict[str, Any]]:
    """Account records that carry the data of the fixtures, taken from the fixtures alone."""
    bodies = {name: json.loads(fixture_text(name))["data"] for name in REQUESTS}
    info, card, upstat, stat = (bodies[name] for name in REQUESTS)
    same = ("mid", "name", "sex", "face", "face_nft", "sign", "rank", "level", "fans_badge", "fans_medal", "official")
    more = ("vip", "pendant", "nameplate", "user_honour_info", "top_photo", "sys_notice", "live_room", "birthday")
    rest = ("school", "profession", "tags", "series", "is_senior_member")
    both = {name: info[name] for name in (*same, *more, *rest)} | {
        "top_photo_small": card["space"]["s_img"],
        "counter_mode": "reported",
        "counters": {"following": card["card"]["friend"], "follower": card["follower"]},
        "statistics": {
            "archive_count": card["archive_count"],
            "article_count": card["article_count"],
            "likes": card["like_num"],
        },
    }
    plays = {"archive_view": upstat["archive"]["view"], "article_view": upstat["article"]["view"]}
    counters = {name: stat[name] for name in ("following", "whisper", "black", "follower")}
    return [
        both,
        {"mid": 524144317, "name": "an uploader", "statistics": {**plays, "likes": upstat["likes"]}},
        {"mid": stat["mid"], "name": "a star", "counter_mode": "reported", "counters": counters},
    ]


def assert_samples(client: httpx.Client) -> None:
    for name, path in REQUESTS.items():
        response = client.get(path)
        assert response.status_code == 200
        assert in_order(response.text) == in_order(fixture_text(name)), name


def test_accounts_added_from_the_sample_bodies_give_those_bodies_back(
    tmp_path: Path, store_url: str, run_upspace: Callable[..., Ran]
) -> None:
    for record in records_of_the_fixtures():
        added = run_upspace("account", "add", "-", "--store", store_url, given=json.dumps(record).encode())
        assert (added.code, added.err) == (0, "")
    with serving(tmp_path, "serve", "--store", store_url, "--port", "0") as served, client_of(served) as client:
        assert_samples(client)


def test_the_sample_records_of_the_demo_give_the_sample_bodies(store_url: str, tmp_path: Path) -> None:
    async def load() -> None:
        store = await open_store(store_url)
        await store.load([profile_of(record) for record in sample_records()], [])
        await store.close()

    asyncio.run(load())
    with serving(tmp_path, "serve", "--store", store_url, "--port", "0") as served, client_of(served) as client:
        assert_samples(client)


@pytest.fixture(scope="module")
def demo_url(stores: Stores, engine: str) -> str:
    return stores.new(engine)


@pytest.fixture(scope="module")
def demo(demo_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("demo"), *DEMO, "--store", demo_url) as served:
        yield served


def replies_of(client: httpx.Client) -> list[bytes]:
    pages = (
        "/x/relation/followers?vmid=50995243&pn=1&ps=50",
        "/x/relation/followings?vmid=5818410&pn=2&ps=20&order=asc",
        "/x/relation/fans?vmid=524144317&ps=50",
    )
    # With what stands around it: the digits alone may be the end of a mid.
    origin = f"//{client.base_url.host}:{client.base_url.port}/".encode()
    return [client.get(path).content.replace(origin, b"//ORIGIN/") for path in (*REQUESTS.values(), *pages)]


def test_the_demo_serves_the_sample_bodies(demo: Served) -> None:
    with client_of(demo) as client:
        assert_samples(client)


@pytest.mark.parametrize(
    ("path", "total"),
    [
        ("/x/relation/followers?vmid=50995243&pn=1&ps=20&order=desc", 713),
        ("/x/relation/followings?vmid=5818410&pn=2&ps=20&order=desc", 164),
    ],
)
def test_the_demo_serves_real_pages_for_the_two_list_requests(demo: Served, path: str, total: int) -> None:
    with client_of(demo) as client:
        data = client.get(path).json()["data"]
        items = data["list"]
        assert (len(items), data["total"]) == (20, total)
        rows = [(item["mtime"], item["mid"]) for item in items]
        assert rows == sorted(set(rows), reverse=True)
        for item in items:
            account = client.get("/x/space/acc/info", params={"mid": item["mid"]}).json()
            if account["code"] == 0:
                shown = account["data"]
                assert [item["uname"], item["sign"], item["face"]] == [shown["name"], shown["sign"], shown["face"]]
            else:
                assert item["uname"] == "账号已注销"
        assert len({item["uname"] for item in items}) > 10


def test_the_second_start_of_the_demo_reuses_its_community_without_a_word(
    demo: Served, demo_url: str, tmp_path: Path
) -> None:
    with client_of(demo) as client:
        first = replies_of(client)
    with serving(tmp_path, *DEMO, "--store", demo_url) as again, client_of(again) as client:
        assert again.errors() == ""
        assert replies_of(client) == first
    assert "accounts" in demo.errors()
