"""Where a request comes from: the address of its client, as far as proxies can be trusted to tell it."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings

IPV6_PREFIX = 64  # bits: whoever has one address of such a network usually has all of them


def client_address(meta: Mapping[str, Any]) -> str:
    """Return the IP address of a request's client, '' where there is none, as on a socket in the file system.

    `meta` is a request's META. Each of the TRUSTED_PROXIES proxies in front adds the address of its own client to
    X-Forwarded-For, at the right; what is further left anybody may have written. A request that did not pass all of
    them, or whose header is no list of addresses, counts for the socket's peer.
    """
    peer = parse_address(str(meta.get("REMOTE_ADDR", "")))
    told = str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    proxies = settings.TRUSTED_PROXIES
    client = parse_address(told[-proxies]) if 0 < proxies <= len(told) else None
    return str(client or peer or "")


def network_of(address: str) -> str:
    """Return what limits count an address by: its own, or of IPv6 the /64 that it is in."""
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed or "")


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address, which some proxies write with a port; an IPv4 address within IPv6 is that one."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
