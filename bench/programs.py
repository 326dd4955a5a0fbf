"""Starting and ending the programs that the bench measures."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench import measure

ROOT = Path(__file__).resolve().parent.parent


class Broken(Exception):
    """A program that is needed failed, or did not come up in time."""


def environment(data: Path, **extra: str) -> dict[str, str]:
    """Our own environment with the data folder `data`."""
    return {**os.environ, "STRONGROOM_DATA": str(data), "PYTHONPATH": str(ROOT), **extra}


def run(words: Sequence[str], env: Mapping[str, str], *, stdin: str = "", seconds: float = 3600) -> str:
    """Run a Python module or program to its end and return what it printed; raises Broken with its last lines."""
    done = subprocess.run(words, env=env, input=stdin, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    if done.returncode:
        raise Broken(f"{' '.join(words[:6])} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def python(*words: str) -> list[str]:
    """The command line of a Python module or script in this environment."""
    return [sys.executable, *words]


@contextlib.contextmanager
def running(words: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs while the block does; its whole tree is ended afterwards."""
    with log.open("ab") as output:
        process = subprocess.Popen(words, env=env, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Ask the program to stop; after `seconds` kill it and what it started."""
    family = measure.tree(process.pid)
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(seconds)


def wait_until(true: Callable[[], bool], what: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Poll until it holds; raises Broken when the program ends or the time is up."""
    deadline = time.monotonic() + seconds
    while not true():
        if process.poll() is not None:
            raise Broken(f"{what}: the program ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise Broken(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
