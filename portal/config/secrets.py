"""Secrets that the site needs to start: given by the environment, or made once in the data folder."""

import secrets as random
from pathlib import Path

from portal.config import env
from portal.core import files


def secret(name: str, data: Path, *, make: bool = True) -> str:
    """The secret NAME from the environment (or NAME_FILE), else from `data`/secrets/NAME, made there on first use.

    The file is linked into place, so two processes that start together end with the same value. Mode 0600 in a
    0700 folder. Raises OSError when the data folder cannot be written. With `make` False none is made: empty then.
    """
    if given := env.text(name, ""):
        return given
    folder = data / "secrets"
    path = folder / name.lower()
    if not make and not path.exists():
        return ""
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    if not path.exists():
        files.create(path, random.token_urlsafe(48))  # if another process was first, its value is the one
    return path.read_text().strip()
