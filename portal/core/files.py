"""Private files (mode 0600): a reader finds the old content or the new one, also after a power failure.

The gateways' parents do not use this: they load next to nothing (deploy/runner/gateway.py).
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft(path: Path, content: str | bytes) -> Iterator[Path]:
    """`content` in a file of its own beside `path`, named `.<name>-…`, on disk; gone after the block, unless renamed.

    Raises OSError when it cannot be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def replace(path: Path, content: str | bytes) -> None:
    """Write `path`, whether or not it is there; on disk when this returns."""
    with draft(path, content) as written:
        os.replace(written, path)
    sync(path.parent)


def create(path: Path, content: str | bytes) -> bool:
    """Write `path` unless it is there; False when it was, or when another process was first."""
    with draft(path, content) as written:
        try:
            os.link(written, path)
        except FileExistsError:
            return False
    sync(path.parent)
    return True


def sync(folder: Path) -> None:
    """Make new names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
