"""What came of a restore check, in figures and in words."""

from dataclasses import dataclass

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.proof.comparing import Tally
from strongroom_agent.restic.snapshots import Snapshot

_SHOWN = 20


@dataclass(frozen=True)
class CheckResult:
    """What the check found; `total` counts the regular files in the snapshot, `unproven` names those that came back
    damaged or not at all, `left_out` are those that were not asked for: of much data a sample is restored."""

    snapshot: Snapshot
    tally: Tally
    total: int
    unproven: list[str]
    left_out: int = 0

    @property
    def figures(self) -> dict[str, object]:
        """What the portal and the JSON answer show."""
        return {
            "snapshot": self.snapshot.id,
            "proven": self.tally.proven,
            "compared": self.tally.compared,
            "compared_bytes": self.tally.compared_bytes,
            "total": self.total,
            "changed": self.tally.changed,
            "mismatched": len(self.tally.mismatched),
        }

    @property
    def failure(self) -> AgentError | None:
        """Any difference is a failure, and so is having proven nothing."""
        details = {**self.figures, "mismatched_first": self.tally.first_mismatched}
        if self.tally.mismatched:
            count, first = len(self.tally.mismatched), self.tally.mismatched[0]
            return AgentError(
                "restore_check_failed",
                f"{counted(count, 'file')} did not come back as backed up, beginning with {first}.",
                "Run strongroom-agent repair: it brings back what the other region or this machine still has."
                if self.unproven
                else "Run strongroom-agent backup, which stores them anew, then check again.",
                **details,
            )
        if self.tally.proven == 0:
            return AgentError(
                "nothing_compared",
                f"Of {counted(self.total, 'file')} in the snapshot none could be restored and proven.",
                "Run strongroom-agent backup, then check again.",
                **details,
            )
        return None

    @property
    def remark(self) -> str:
        """The result in a sentence that says what kind of proof it is."""
        tally = self.tally
        size = readable(tally.compared_bytes)
        if tally.compared == tally.proven:
            text = f"{tally.compared:,} of {counted(self.total, 'file')}, {size}, restored and compared byte for byte"
        else:
            text = (
                f"{tally.proven:,} of {counted(self.total, 'file')} restored and proven against the snapshot; "
                f"{tally.compared:,} of them, {size}, compared with the source byte for byte"
            )
        if self.left_out:
            text += f"; {counted(self.left_out, 'file')} not in the sample"
        if tally.changed:
            text += f"; {tally.changed} changed since the backup"
        if tally.gone:
            text += f", {tally.gone} of them {'is' if tally.gone == 1 else 'are'} not there any more"
        return f"{text}."
