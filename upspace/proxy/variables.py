"""The environment variables by which programs learn of a proxy and of an authority that they are to trust."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from upspace.proxy.targets import Hosts

# Each is read by someone: SSL_CERT_FILE by OpenSSL, and so by Python, httpx and others, the rest as they are called.
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

# curl reads http_proxy in lower case alone; where both are set, some prefer one and some the other.
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_OF_NODE = ("NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY")
_EXCEPTIONS = ("NO_PROXY", "no_proxy")

_FIRST = ("HTTPS_PROXY", "HTTP_PROXY", "SSL_CERT_FILE")


def for_programs(before: Mapping[str, str], proxy: str, trusted: Path, ca_file: Path, hosts: Hosts) -> dict[str, str]:
    """An environment whose programs go through the proxy at this URL and trust the certificates in a file.

    `trusted` is what they trust at all, `ca_file` what Node trusts beside its own. Exceptions from the proxy that
    were made `before` stay, but for those that concern the hosts stood in for.
    """
    made = {name: value for name, value in before.items() if name not in _EXCEPTIONS}
    made |= dict.fromkeys(_PROXY_VARIABLES, proxy)
    made |= dict.fromkeys(_CA_VARIABLES, str(trusted))
    made |= {"NODE_EXTRA_CA_CERTS": str(ca_file), "NODE_USE_ENV_PROXY": "1"}
    for name in _EXCEPTIONS:
        kept = [each.strip() for each in before.get(name, "").split(",") if not _concerns(each.strip(), hosts)]
        if kept:
            made[name] = ",".join(kept)
    return made


def for_shells(before: Mapping[str, str], made: Mapping[str, str]) -> list[str]:
    """What brings a shell from the environment `before` to the one that was `made`, the main variables first."""
    rest = {name: made[name] for name in (*_PROXY_VARIABLES, *_CA_VARIABLES, *_OF_NODE) if name not in _FIRST}
    rest |= {name: made.get(name, "") for name in _EXCEPTIONS if before.get(name) != made.get(name)}
    lines = [f"export {name}={quote(made[name])}" for name in _FIRST]
    return [*lines, "export " + " ".join(f"{name}={quote(value)}" for name, value in rest.items())]


def _concerns(exception: str, hosts: Hosts) -> bool:
    """Whether an entry of NO_PROXY is empty, or about a host stood in for."""
    excepted = exception.lower().partition(":")[0].removeprefix("*").removeprefix(".")
    if not excepted:
        # A lone * is about everything.
        return True
    names = [pattern.removeprefix("*.") for pattern in hosts.patterns]
    return any(name == excepted or name.endswith(f".{excepted}") or excepted.endswith(f".{name}") for name in names)
