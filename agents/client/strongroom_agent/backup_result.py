"""What came of a backup, in figures and in words."""

from dataclasses import dataclass, field

from .errors import AgentError

_SHOWN = 20


@dataclass(frozen=True)
class BackupResult:
    """A snapshot that was made; `absent` are the paths to protect that were not there at the time."""

    snapshot: str
    files: int
    bytes: int
    bytes_added: int
    unreadable: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, object]:
        """What the portal and the JSON answer show."""
        return {
            "snapshot": self.snapshot,
            "files": self.files,
            "bytes": self.bytes,
            "bytes_added": self.bytes_added,
        }

    @property
    def details(self) -> dict[str, object]:
        """The result as JSON answers show it; what was not there could not be read either."""
        missed = [*self.absent, *self.unreadable]
        return {**self.figures, "unreadable": len(missed), "unreadable_first": missed[:_SHOWN]}

    @property
    def code(self) -> str:
        """Whether everything that is to be protected is in the snapshot."""
        return "done_with_unreadable" if self.absent or self.unreadable else "done"

    @property
    def failure(self) -> AgentError | None:
        """A snapshot without a single file is no backup: an empty mount point looks just like this."""
        if self.files:
            return None
        if self.unreadable:
            return AgentError(
                "nothing_readable",
                f"None of what is protected could be read, beginning with {self.unreadable[0]}.",
                "Run the agent as a user that may read it.",
            )
        return AgentError(
            "nothing_to_protect",
            "There is not a single file in what is to be protected.",
            "Check that its disks are mounted; to protect something else, run setup again with other --protect.",
        )

    @property
    def remark(self) -> str:
        """What is not in the snapshot although it should be, in a sentence each; empty when all is there."""
        said = []
        if self.absent:
            said.append(f"Not there, so not backed up: {', '.join(self.absent)}.")
        if self.unreadable:
            said.append(f"{len(self.unreadable)} items could not be read, beginning with {self.unreadable[0]}.")
        return " ".join(said)

    @property
    def remedy(self) -> str:
        """What a person can do about the remark."""
        said = []
        if self.absent:
            said.append("Mount the disk, or run setup again without the --protect of what is gone for good.")
        if self.unreadable:
            said.append("Run the agent as a user that may read everything.")
        return " ".join(said)


def all_absent(protect: list[str]) -> AgentError:
    """The error for a machine on which nothing of what is to be protected is there."""
    return AgentError(
        "protect_missing",
        f"None of what is to be protected is there: {', '.join(protect)}.",
        "Mount the disk; to protect something else, run setup again with other --protect.",
    )
