"""What the bench reads from /proc."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench import measure

BURN = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\nimport sys; sys.stdin.read()"


@pytest.fixture
def burner() -> Iterator[subprocess.Popen[bytes]]:
    """A child that has used 0.3 s of CPU and waits."""
    with subprocess.Popen([sys.executable, "-S", "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_a_tree_holds_children_and_their_cpu(burner: subprocess.Popen[bytes]) -> None:
    assert burner.pid in measure.tree(os.getpid())
    assert measure.tree(burner.pid) == [burner.pid]
    assert 0.28 <= measure.cpu_seconds([burner.pid]) < 2
    assert measure.memory_bytes([burner.pid]) > 1_000_000


def test_what_has_gone_counts_nothing(burner: subprocess.Popen[bytes]) -> None:
    burner.communicate()
    assert measure.cpu_seconds([burner.pid]) == 0
    assert measure.memory_bytes([burner.pid]) == 0
    assert measure.name(burner.pid) == ""
