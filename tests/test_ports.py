"""Tests on one machine keep out of each other's ports."""

import subprocess
import sys

from tests.ports import free_port

DRAW_FIRST = """
import secrets, sys
from tests.ports import free_port

draw, first = secrets.choice, [int(sys.argv[1])]
secrets.choice = lambda ports: first.pop() if first else draw(ports)
print(free_port())
"""


def test_a_port_is_given_to_one_process_only() -> None:
    """Also where nothing listens on it yet: another process that draws it first is given a different one."""
    ours = free_port()
    command = [sys.executable, "-c", DRAW_FIRST, str(ours)]
    assert int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) != ours
