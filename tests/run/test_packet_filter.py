"""The bound of connections from one address that docs/operations/edge.md gives for the host's packet filter."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations" / "edge.md"

# Run in a network of its own. It prints how many connections each of four addresses gets: two of IPv4, and of IPv6
# two halves of one network of 64 bits, then another network.
TRY = """
import socket

def listening(family, address):
    listener = socket.socket(family)
    listener.bind((address, 8443))
    listener.listen(1000)
    return listener

def let_in(family, source, target, count):
    for _ in range(count):
        line = socket.socket(family)
        line.settimeout(5)
        line.bind((source, 0))
        try:
            line.connect((target, 8443))
        except ConnectionRefusedError:
            continue
        kept.append(line)
        yield line

kept = [listening(socket.AF_INET, "127.0.0.1"), listening(socket.AF_INET6, "fd00::1")]
for family, source, target, count in (
    (socket.AF_INET, "127.0.0.1", "127.0.0.1", 250),
    (socket.AF_INET, "127.0.0.2", "127.0.0.1", 1),
    (socket.AF_INET6, "fd00::1", "fd00::1", 125),
    (socket.AF_INET6, "fd00::2", "fd00::1", 125),
    (socket.AF_INET6, "fd00:1::1", "fd00::1", 1),
):
    print(len(list(let_in(family, source, target, count))), end=" ")
"""
NETWORK = """
ip link set lo up
for address in fd00::1 fd00::2 fd00:1::1; do ip -6 address add $address/64 dev lo nodad; done
nft -f - <<'END'
{rules}
END
exec "$1" -c "$2"
"""


def test_one_address_gets_two_hundred_connections_and_others_theirs() -> None:
    """The lines of the page as they stand there; IPv6 is counted by networks of 64 bits."""
    found = re.search(r"```\n(table inet.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    script = NETWORK.format(rules=found[1])
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", "sh", "-euc", script, "sh", sys.executable, TRY],
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["200", "1", "125", "75", "1"]), done.stderr
