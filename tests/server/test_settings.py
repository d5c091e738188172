"""Settings that only make sense in a certain form."""

import pytest

from upspace.server.settings import SettingsError, build_settings


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "https://example.org/upspace",
        "https://example.org/upspace/",
        "HTTP://[::1]:80",
        "https://例子.测试",
    ],
)
def test_a_public_url_is_one_of_the_web_and_stands_before_avatars(url: str) -> None:
    settings = build_settings({"store": "sqlite://", "public_url": url})
    assert settings.reached_at() == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "//example.org",
        "ftp://example.org",
        "http://",
        "http:///x",
        "http://a b",
        "http://a?b",
        "http://a#b",
        "http://:80",
        "http://a:b",
        "http://{mid}",
        "http://a/{mid}",
    ],
)
def test_a_public_url_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(SettingsError, match=r"\Apublic_url: [^\n]+ is no URL like [^\n]+\Z"):
        build_settings({"store": "sqlite://", "public_url": url})


def test_names_of_a_certificate_that_nobody_asked_for_are_an_error() -> None:
    with pytest.raises(SettingsError, match=r"\Atls_hosts: without --tls there is no certificate\Z"):
        build_settings({"store": "sqlite://", "tls_hosts": "localhost"})
    assert build_settings({"store": "sqlite://", "tls_hosts": "localhost", "tls": True}).names_in_certificate() == [
        "localhost"
    ]
