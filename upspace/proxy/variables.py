"""The environment variables by which programs learn of a proxy and of an authority that they are to trust."""

from collections.abc import Mapping
from pathlib import Path

from upspace.proxy.targets import Hosts

# Each is read by someone: SSL_CERT_FILE by OpenSSL, and so by Python, httpx and others, the rest as they are called.
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

# curl reads http_proxy in lower case alone; where both are set, some prefer one and some the other.
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
_EXCEPTIONS = ("NO_PROXY", "no_proxy")


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


def _concerns(exception: str, hosts: Hosts) -> bool:
    """Whether an entry of NO_PROXY is empty, or about a host stood in for."""
    excepted = exception.lower().partition(":")[0].removeprefix("*").removeprefix(".")
    if not excepted:
        # A lone * is about everything.
        return True
    names = [pattern.removeprefix("*.") for pattern in hosts.patterns]
    return any(name == excepted or name.endswith(f".{excepted}") or excepted.endswith(f".{name}") for name in names)
