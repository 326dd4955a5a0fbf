"""The two public ports: free before anything starts, since two Caddys would share one without a word."""

import errno
import socket

from deploy.runner.refused import Refused

EVERYWHERE = (
    (socket.AF_INET, "127.0.0.1"),
    (socket.AF_INET, "0.0.0.0"),  # noqa: S104 - to see who listens there
    (socket.AF_INET6, "::1"),
    (socket.AF_INET6, "::"),
)


def check(ports: dict[str, int]) -> None:
    """Raise Refused when a port (by the name of its variable) is no port, is used twice, or is not to be had."""
    if len(set(ports.values())) < len(ports):
        raise Refused(f"{' and '.join(ports)} must differ.")
    for name, port in ports.items():
        if not 0 < port < 65536:
            raise Refused(f"{name}={port} is not a port.")
        for family, address in EVERYWHERE:
            _probe(name, port, family, address)


def loopbacks() -> list[str]:
    """The loopback addresses that this machine has, as the edge's configuration writes them."""
    return [
        address
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
        if _has(family, address)
    ]


def _has(family: socket.AddressFamily, address: str) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _probe(name: str, port: int, family: socket.AddressFamily, address: str) -> None:
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # passes over closed connections, not listeners
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused(f"port {port} is taken by another program; set {name} to a free one.") from error
        if error.errno == errno.EACCES:
            raise Refused(f"port {port} needs rights that you do not have; set {name} to one above 1023.") from error
        if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:  # a machine without IPv6 has nobody there
            raise
