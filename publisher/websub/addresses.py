"""Which machines a callback may lead to: the guard against requests into private networks. Floor: websub, its lowest.

`ipaddress` alone calls too much global: multicast, 6to4 relays, and IPv6 forms that carry an IPv4 address (NAT64,
6to4, mapped), behind which any private address can hide.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

_NOT_PUBLIC_4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments (RFC 6890)
    IPv4Network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
)
_UNICAST_6 = IPv6Network("2000::/3")  # all that IANA hands out to machines; NAT64, mapped and site-local lie outside
_NOT_PUBLIC_6 = (
    IPv6Network("2001::/23"),  # protocol assignments: Teredo and others
    IPv6Network("2002::/16"),  # 6to4: holds an IPv4 address
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)


def is_public(address: str) -> bool:
    """Whether `address` (an IPv4 or IPv6 address as text) is that of a machine on the public internet.

    What is no address, or names a zone (``fe80::1%eth0``), is not.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if not ip.is_global or ip.is_multicast:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    return ip.scope_id is None and ip in _UNICAST_6 and not any(ip in network for network in _NOT_PUBLIC_6)
