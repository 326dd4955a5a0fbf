"""What came of a restore check, in figures and in words."""

from dataclasses import dataclass, field

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.proof.comparing import Tally
from strongroom_agent.proof.evidence import Evidence
from strongroom_agent.proof.proven import LATELY, Share
from strongroom_agent.proof.rate import Rate
from strongroom_agent.proof.sampling import Sample
from strongroom_agent.restic.snapshots import Snapshot

WITHOUT_NAMED = "done_without_named"
MISSING_REMEDY = (
    "Bring it back, or protect the folder that has it, and run strongroom-agent backup; if it is gone for good, say "
    "with strongroom-agent schedule --always-prove which files are to be proven (--no-always-prove: none any more)."
)
_SHOWN = 20


@dataclass(frozen=True)
class CheckResult:
    """What the check found; `share` says how much of the snapshot was proven lately, `unproven` names what came back
    damaged or not at all, `left_out` are those that were not asked for: of much data a sample is restored."""

    snapshot: Snapshot
    tally: Tally
    share: Share
    unproven: list[str]
    left_out: int = 0
    rate: Rate = field(default_factory=Rate)
    sample: Sample = field(default_factory=lambda: Sample([]))

    @property
    def total(self) -> int:
        """How many regular files the snapshot has."""
        return self.share.of_files

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
            "total_bytes": self.share.of_bytes,
            "lately": self.share.files,
            "lately_bytes": self.share.bytes,
            "named": self.sample.named,
            "named_missing": len(self.sample.missing),
            **self.rate.figures,
            **({"code": WITHOUT_NAMED} if self.sample.missing else {}),
        }

    @property
    def evidence(self) -> Evidence:
        """What a receipt is made from, beside the figures."""
        return Evidence(tuple(self.tally.files), self.sample.missing)

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
            lately = f"{self.share.files:,} of all were proven within the last {LATELY} days"
            text += f"; {counted(self.left_out, 'file')} not in the sample; {lately}"
        if tally.changed:
            text += f"; {tally.changed} changed since the backup"
        if tally.gone:
            text += f", {tally.gone} of them {'is' if tally.gone == 1 else 'are'} not there any more"
        return f"{text}.{self._missing}"

    @property
    def remedy(self) -> str:
        """What a person can do about a named file that is not there."""
        return MISSING_REMEDY if self.sample.missing else ""

    @property
    def _missing(self) -> str:
        """What was to be proven always, and the snapshot does not have."""
        if not self.sample.missing:
            return ""
        first, more = self.sample.missing[0], len(self.sample.missing) - 1
        also = f" and {more} more of --always-prove" if more else ""
        return f" Not proven: {first}{also} is to be proven always, and the snapshot does not have it."
