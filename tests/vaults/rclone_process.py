"""The real rclone that serves regions to the tests."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests.waiting import listens

RCLONE = Path(settings.BASE_DIR) / ".venv" / "bin" / "rclone"

# httpcore leaves a socket that could not connect to the garbage collector, which complains about it.
NO_SOCKET = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")


@contextmanager
def running(*arguments: str, socket: Path, config: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Rclone with the arguments, from when it listens on `socket` until the end of the block."""
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)
    command = [str(RCLONE), *arguments, "--config", str(config or settings.DATA / "rclone.conf"), "-q"]
    process = subprocess.Popen(command, env={**os.environ, "HOME": str(settings.DATA)}, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 20
        while not listens(socket):
            assert process.poll() is None, f"{command} ended with {process.returncode}"
            assert time.monotonic() < ends, f"{command} does not listen"
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.wait()
