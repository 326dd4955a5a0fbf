"""Which addresses count as one where somebody is told apart by address."""

from ipaddress import IPv6Address, ip_address, ip_network


def network_of(address: str) -> str:
    """What counts as one address: IPv4 as it is, of IPv6 the first half: whoever comes chooses the second.

    This computer's own stays as it is, so that it is known as such; what is no address, at most 45 characters of it.
    """
    try:
        parsed = ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return address[:45]  # a unix socket
    if not isinstance(parsed, IPv6Address) or parsed.is_loopback:
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))
