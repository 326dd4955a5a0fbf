"""What came of a backup, in figures and in words."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import counted
from strongroom_agent.proof.losses import Loss, total

_SHOWN = 20
_FEW = 5


@dataclass(frozen=True)
class BackupResult:
    """A snapshot that was made, and what is not in it although it should be.

    `links` are protected names that are links, and the real paths that they meant; `left_out` are mount points inside
    that are left out for their kind; `damaged` says that the repository is known to be; `gone` that the snapshot made
    before this one is in no region any more; `way_out` is what helps after a repair that was incomplete; `after_failed`
    how the command after the backup did.
    """

    snapshot: str
    files: int
    bytes: int
    bytes_added: int
    unreadable: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    damaged: str = ""
    gone: str = ""
    way_out: str = ""
    after_failed: str = ""

    @property
    def figures(self) -> dict[str, object]:
        """What the portal and the JSON answer show."""
        return {
            "snapshot": self.snapshot,
            "files": self.files,
            "bytes": self.bytes,
            "bytes_added": self.bytes_added,
            "vanished": len(self.vanished),
            "lost": total(self.losses),
            "code": self.code,
        }

    @property
    def details(self) -> dict[str, object]:
        """The result as JSON answers show it."""
        return {
            **self.figures,
            "unreadable": len(self.unreadable),
            "unreadable_first": self.unreadable[:_SHOWN],
            "vanished_first": self.vanished[:_SHOWN],
            "losses": [{"path": each.name, "had": each.had, "has": each.has} for each in self.losses],
            "links": self.links,
            "left_out": [{"path": path, "kind": kind} for path, kind in self.left_out.items()],
        }

    @property
    def code(self) -> str:
        """Whether everything that is to be protected is in the snapshot, and the snapshot in a sound repository."""
        if self.damaged or self.gone:
            return "done_on_damaged"
        if self.losses:
            return "done_with_losses"
        if self.after_failed:
            return "done_after_failed"
        return "done_with_unreadable" if self.unreadable else "done"

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
        said = [self.damaged, "" if self.gone and self.gone in self.damaged else self.gone]
        if self.losses:
            places = counted(len(self.losses), "protected place")
            have = "has" if len(self.losses) == 1 else "have"
            said.append(f"{places} {have} less than before: {_some(map(str, self.losses))}.")
        if self.unreadable:
            said.append(
                f"{counted(len(self.unreadable), 'item')} could not be read, beginning with {self.unreadable[0]}."
            )
        if self.vanished:
            said.append(
                f"{counted(len(self.vanished), 'item')} vanished during the backup, beginning with {self.vanished[0]}."
            )
        return " ".join(filter(None, [*said, self.after_failed]))

    @property
    def remedy(self) -> str:
        """What a person can do about the remark."""
        said = []
        if self.damaged:
            said.append(
                f"{self.way_out} This ends when a strongroom-agent check passes."
                if self.way_out
                else "Run strongroom-agent repair; this ends when a strongroom-agent check passes."
            )
        elif self.gone:
            said.append(
                "Everything that is on this machine now is in the new snapshot; run strongroom-agent check. If an "
                "administrator of the portal moved the old one to the trash, nothing is wrong."
            )
        if self.losses:
            said.append(
                "Mount the disk or bring the files back; if they are gone for good, run strongroom-agent backup "
                "--accept-losses, or setup again without that --protect."
            )
        if self.unreadable:
            said.append("Run the agent as a user that may read everything.")
        if self.after_failed:
            said.append("Run that command by hand to see why; strongroom-agent schedule --after sets another.")
        return " ".join(said)

    @property
    def note(self) -> str:
        """What a person should know although nothing is wrong."""
        said = [f"{name} is {path} now." for name, path in self.links.items()]
        if self.left_out:
            said.append(f"Left out by kind: {_some(f'{path} ({kind})' for path, kind in self.left_out.items())}.")
        return " ".join(said)


def _some(texts: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    shown = list(texts)
    more = f" and {len(shown) - _FEW} more" if len(shown) > _FEW else ""
    return ", ".join(shown[:_FEW]) + more


def all_absent(protect: list[str]) -> AgentError:
    """The error for a machine on which nothing of what is to be protected is there."""
    return AgentError(
        "protect_missing",
        f"None of what is to be protected is there: {', '.join(protect)}.",
        "Mount the disk; to protect something else, run setup again with other --protect.",
    )
