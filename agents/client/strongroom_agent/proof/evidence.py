"""What a check has seen with its own eyes: the list of files that it proved, which receipts commit to."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from .comparing import Proven


@dataclass(frozen=True)
class Evidence:
    """The files that came back as they were backed up, and the named paths that the snapshot does not have."""

    files: tuple[Proven, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """The size of all of them."""
        return sum(each.file.size for each in self.files)

    def lines(self) -> Iterator[str]:
        """One line for each file: a JSON array of path, size and the SHA-256 of its content, in ASCII, sorted."""
        found = sorted((each.file.path, each.file.size, each.sha256) for each in self.files)
        return (json.dumps(each, separators=(",", ":")) + "\n" for each in found)

    @property
    def digest(self) -> str:
        """The SHA-256 of these lines, in hexadecimal."""
        digest = hashlib.sha256()
        for line in self.lines():
            digest.update(line.encode("ascii"))
        return digest.hexdigest()
