"""How fast a restore check got files back, without the time that it takes to open the repository."""

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom_agent.restic.snapshots import Listed


@dataclass
class Rate:
    """What came back, in files and bytes, and in how many seconds."""

    files: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def add(self, files: Sequence[Listed], seconds: float) -> None:
        """These came back within that time."""
        self.files += len(files)
        self.bytes += sum(each.size for each in files)
        self.seconds += seconds

    @property
    def figures(self) -> dict[str, object]:
        """For the report; nothing where nothing came back. A time is at least a millisecond."""
        if not self.files:
            return {}
        return {"restored": self.files, "restored_bytes": self.bytes, "restore_ms": max(1, round(self.seconds * 1000))}
