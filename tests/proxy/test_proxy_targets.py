"""Host names that are stood in for, authorities and URLs, and the variables that programs get."""

from pathlib import Path

import pytest

from upspace.proxy.targets import DEFAULT_HOSTS, Address, Hosts, TargetError, parse_authority, parse_upstream
from upspace.proxy.variables import for_programs


@pytest.mark.parametrize(
    ("listed", "host", "covered"),
    [
        (DEFAULT_HOSTS, "bilibili.com", True),
        (DEFAULT_HOSTS, "api.bilibili.com", True),
        (DEFAULT_HOSTS, "api.vc.bilibili.com", True),
        (DEFAULT_HOSTS, "notbilibili.com", False),
        (DEFAULT_HOSTS, "bilibili.com.example.org", False),
        (DEFAULT_HOSTS, "", False),
        ("*.bilibili.com", "bilibili.com", False),
        (" API.bilibili.com ,", "api.bilibili.com", True),
        ("127.0.0.1, ::1", "::1", True),
    ],
)
def test_patterns_cover_names(listed: str, host: str, covered: bool) -> None:
    assert Hosts.parse(listed).cover(host) is covered


@pytest.mark.parametrize("listed", ["", ",", "*", "*.*.com", "a b", "a..b", ".b", "x/y", "http://x", "*x.com", "é.com"])
def test_what_is_no_pattern_is_named(listed: str) -> None:
    with pytest.raises(TargetError, match="hosts: "):
        Hosts.parse(listed)


@pytest.mark.parametrize(
    ("text", "default", "address"),
    [
        ("API.bilibili.com:443", None, Address("api.bilibili.com", 443)),
        ("api.bilibili.com.:443", None, Address("api.bilibili.com", 443)),
        ("[::1]:80", None, Address("::1", 80)),
        ("[::1]", 80, Address("::1", 80)),
        ("x", 80, Address("x", 80)),
    ],
)
def test_authorities_are_read(text: str, default: int | None, address: Address) -> None:
    assert parse_authority(text, default) == address


@pytest.mark.parametrize(
    "text",
    ["", ":80", "x", "x:", "x:y", "x:0", "x:65536", "x:123456", "::1:80", "[x]:1", "[1::2::3]:1", "a/b:1", "a b:1"],
)
def test_what_is_no_authority_is_refused(text: str) -> None:
    with pytest.raises(TargetError):
        parse_authority(text)


def test_upstreams_are_read() -> None:
    assert parse_upstream("http://127.0.0.1:8000") == Address("127.0.0.1", 8000)
    assert parse_upstream("http://localhost/") == Address("localhost", 80)
    assert parse_upstream("http://[::1]:1") == Address("::1", 1)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "127.0.0.1:8000",
        "https://x",
        "http://",
        "http://x:y",
        "http://x/y",
        "http://x?y",
        "http://[x",
        "http://u:p@x",
    ],
)
def test_what_is_no_upstream_is_named(url: str) -> None:
    with pytest.raises(TargetError, match="upstream: "):
        parse_upstream(url)


def test_who_listens_everywhere_is_reached_here() -> None:
    assert str(Address("0.0.0.0", 1).reached_at()) == "127.0.0.1:1"  # noqa: S104  # nothing listens
    assert str(Address("::", 1).reached_at()) == "[::1]:1"
    assert str(Address("192.0.2.1", 1).reached_at()) == "192.0.2.1:1"


def variables(before: dict[str, str], hosts: str = DEFAULT_HOSTS) -> dict[str, str]:
    return for_programs(before, "http://127.0.0.1:1", Path("/trusted"), Path("/ca"), Hosts.parse(hosts))


def test_programs_get_every_variable_that_one_of_them_reads() -> None:
    proxied = dict.fromkeys(
        ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:1"
    )
    trusting = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), "/trusted")
    node = {"NODE_EXTRA_CA_CERTS": "/ca", "NODE_USE_ENV_PROXY": "1"}
    assert variables({"PATH": "/bin", "https_proxy": "http://other"}) == {"PATH": "/bin"} | proxied | trusting | node


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("localhost,127.0.0.1", "localhost,127.0.0.1"),
        ("localhost, .bilibili.com", "localhost"),
        ("api.bilibili.com:443,localhost", "localhost"),
        ("com,notbilibili.com", "notbilibili.com"),
        ("*.bilibili.com", None),
        ("*", None),
        ("", None),
    ],
)
def test_exceptions_for_hosts_stood_in_for_go(before: str, after: str | None) -> None:
    made = variables({"NO_PROXY": before, "no_proxy": before})
    assert (made.get("NO_PROXY"), made.get("no_proxy")) == (after, after)
