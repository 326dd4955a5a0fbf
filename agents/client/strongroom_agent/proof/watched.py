"""How far a restore check is, for whoever is told of it."""

import json
import time
from dataclasses import dataclass, field

from strongroom_agent.portal.progress import Nobody


@dataclass
class Watched:
    """Counts what is over, and adds what restic says of the batch that it restores now."""

    teller: Nobody
    files: int
    bytes: int
    _files_done: int = 0
    _bytes_done: int = 0
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._tell(0, 0)

    def line(self, text: str) -> None:
        """A line of restic's output while it restores."""
        if not text.startswith("{"):
            return
        message = json.loads(text)
        if message.get("message_type") == "status":
            self._tell(int(message.get("files_restored") or 0), int(message.get("bytes_restored") or 0))

    def proven(self, files: int, size: int) -> None:
        """These have been restored and looked at, with so many bytes."""
        self._files_done += files
        self._bytes_done += size
        self._tell(0, 0)

    def _tell(self, files: int, size: int) -> None:
        """restic counts folders among the files, and what several names share once: no more than there is."""
        files, size = min(self._files_done + files, self.files), min(self._bytes_done + size, self.bytes)
        rate = size / max(time.monotonic() - self._began, 0.001)
        left = (self.bytes - size) / rate if rate else None
        self.teller.tell(
            "restore",
            files_done=files,
            files_total=self.files,
            bytes_done=size,
            bytes_total=self.bytes,
            rate=rate,
            seconds_left=left,
        )
