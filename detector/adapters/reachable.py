"""Which addresses a channel may connect to: public ones, and the private ranges that it names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # leads wherever its network says
COMPATIBLE = ipaddress.IPv6Network("::/96")  # old IPv4-compatible addresses


class Reachable:
    """The law of one channel. `allow_private`: networks such as "10.1.0.0/16"."""

    def __init__(self, allow_private: Sequence[str] = ()) -> None:
        self._allowed = [ipaddress.ip_network(one) for one in allow_private]

    def fit(self, address: str) -> bool:
        """May this address be connected to. One that carries another inside is as fit as that."""
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if self._named(ip):
            return True
        inner = list(_inside(ip))
        if inner:
            return all(self._named(one) or _public(one) for one in inner)
        return _public(ip)

    def _named(self, ip: Address) -> bool:
        return any(ip in network for network in self._allowed if network.version == ip.version)


def _public(ip: Address) -> bool:
    local = isinstance(ip, ipaddress.IPv6Address) and ip in LOCAL_NAT64
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not local


def _inside(ip: Address) -> Iterator[ipaddress.IPv4Address]:
    """IPv4 addresses that an IPv6 one stands for: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(ip, ipaddress.IPv4Address):
        return
    if ip.ipv4_mapped is not None:
        yield ip.ipv4_mapped
    elif ip.sixtofour is not None:
        yield ip.sixtofour
    elif ip.teredo is not None:
        yield from ip.teredo
    elif ip in NAT64 or (ip in COMPATIBLE and int(ip) > 1):
        yield ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
