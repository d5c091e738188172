"""Who may control a server: unless it is told otherwise, programs on the same machine, and no page of another site."""

from ipaddress import IPv6Address, ip_address

from upspace.server.http import Request
from upspace.server.limits import client_address
from upspace.wire.admin import Reason
from upspace.wire.errors import ForbiddenError

_SHOWN = 100


def check_access(request: Request) -> None:
    """Raise ForbiddenError for a request that comes from elsewhere.

    Any page can make a browser on this machine send requests to it. They carry the name by which the page knows the
    server, or that of the page's own site as their origin.
    """
    if not _is_loopback(client_address(request.peer, (), trust_forwarded=False)):
        raise _forbidden("only programs on the same machine may: see --control-anywhere")
    host = (request.header("host") or "").lower()
    if not _is_loopback(_name_in(host)):
        raise _forbidden(f"Host: {host[:_SHOWN]} is no name of this machine: see --control-anywhere")
    origin = request.header("origin")
    if origin is not None and origin.lower().partition("://")[2] != host:
        raise _forbidden(f"Origin: {origin[:_SHOWN]} is another site")


def _forbidden(reason: str) -> ForbiddenError:
    return ForbiddenError(reason, data=Reason(reason), status=403)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _name_in(host: str) -> str:
    """The name in a Host header, without the port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
