"""A scheduler that starts nothing, and remembers what it was asked."""

from dataclasses import dataclass, field

from strongroom_agent.core.errors import AgentError
from strongroom_agent.schedule.scheduler import Entry, failed


@dataclass
class Recorder:
    """Stands where the system's own would; `refuses` makes it take nothing."""

    kind: str = "recorder"
    jitter: bool = True
    why_not: str = ""
    refuses: bool = False
    entries: dict[str, Entry] = field(default_factory=dict)

    def lacking(self) -> str:
        return self.why_not

    def install(self, entry: Entry) -> str:
        if self.refuses:
            raise failed("it is a test")
        self.entries[entry.name] = entry
        return ""

    def remove(self, name: str) -> None:
        if self.refuses:
            raise AgentError("schedule_failed", "it stays")
        self.entries.pop(name, None)

    def trouble(self, name: str) -> str:
        return "" if name in self.entries else "It is gone."
