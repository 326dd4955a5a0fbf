"""Ports for the programs that tests start."""

import secrets
import socket
from pathlib import Path

LOWEST = 10_000

_reserved: list[socket.socket] = []  # held open as long as this process lives


def free_port() -> int:
    """A port that nobody has, and that is given to no other test on this machine while this process lives.

    Caddys share a port without a word, and a portal takes its own only seconds after it was chosen. The port lies below
    those that the system gives to connections that begin, which could take it before the portal does.
    """
    while True:
        port = secrets.choice(range(LOWEST, _end()))  # not from `random`, which tests seed
        if _reserve(port) and _binds(port):
            return port


def _end() -> int:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])  # man 7 ip
    return first if first > LOWEST + 1000 else 32_768  # Linux's own, where nearly all were given to the system


def _reserve(port: int) -> bool:
    """Whether no other test has it: an abstract name has one owner, and the kernel frees it when that one ends."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0strongroom-tests-port-{port}")
    except OSError:
        name.close()
        return False
    _reserved.append(name)
    return True


def _binds(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
