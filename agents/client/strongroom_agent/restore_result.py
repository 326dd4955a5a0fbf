"""What came of a restore, in figures and in words."""

from dataclasses import dataclass
from functools import cached_property

from .errors import AgentError
from .recovery import NOT_THERE, Recovery
from .room import no_room
from .sizes import readable

_SHOWN = 20
_FULL = "no space left on device"
_DAMAGE = (
    "ciphertext",
    "> does not exist",
    "not found in repository",
    "invalid data",
    "hash",
    "decrypting",
    "unexpected",
)
_LONG = "file name too long"


@dataclass(frozen=True)
class RestoreResult:
    """A restore that went to its end, and the regions that were read, in order; `older` says that this is not the
    newest snapshot that the machine has made."""

    recovery: Recovery
    note: str
    regions: list[str]
    older: str = ""

    @cached_property
    def lacking(self) -> list[str]:
        """What is not proven to be there, in the order of the snapshot."""
        failed = self.recovery.failed
        return [each.path for each in self.recovery.items if each.path in failed]

    @property
    def figures(self) -> dict[str, object]:
        """What the portal and the JSON answer show."""
        proven = self.recovery.proven
        return {
            "snapshot": self.recovery.found.snapshot.id,
            "files": len(proven),
            "bytes": sum(each.size for each in proven),
            "proven": len(proven),
        }

    @property
    def details(self) -> dict[str, object]:
        """The result as JSON answers show it."""
        used = self._used()
        return {
            **self.figures,
            "target": self.recovery.target,
            "region": next(iter(used), self.regions[0]),
            "regions": used,
            "from_copy": len(self.regions) > 0 and any(name != self._first for name in used),
            "note": self.remark_on_regions,
            "attributes_not_set": len(self.recovery.attributes),
            "attributes_not_set_first": list(self.recovery.attributes)[:_SHOWN],
        }

    @property
    def failure(self) -> AgentError | None:
        """Whatever is not proven makes the run fail."""
        if not self.lacking:
            return None
        recovery = self.recovery
        if recovery.error is not None and recovery.error.code in ("network", "unavailable") and not recovery.proven:
            return recovery.error
        total = len(recovery.files) + sum(each.path in recovery.failed for each in recovery.others)
        more = {
            "missing_first": self.lacking[:_SHOWN],
            "not_proven": len(self.lacking),
            "renamed": len(recovery.renamed),
            "renamed_first": recovery.renamed[:_SHOWN],
            **self.details,
        }
        if self._said(_FULL):
            full = no_room(recovery.target, sum(each.size for each in recovery.files))
            return AgentError(
                full.code, f"{full.problem} {self._left}".strip(), full.remedy, **{**more, **full.details}
            )
        reason = next((said for said in recovery.failed.values() if said != NOT_THERE), "")
        if recovery.error is not None:
            reason = recovery.error.problem.rstrip(".")
        because = f" ({reason})" if reason else ""
        problem = (
            f"{len(self.lacking)} of {total} items were not restored as the snapshot has them, beginning with "
            f"{self.lacking[0]}{because}. {self._left}"
        )
        return AgentError("restore_incomplete", problem.strip(), self._remedy(reason), **more)

    @property
    def message(self) -> str:
        """The whole answer for a person."""
        recovery = self.recovery
        text = f"Restored {len(recovery.proven)} files, {readable(sum(each.size for each in recovery.proven))}"
        bare = [each for each in recovery.parts if all(one.path != each.listed for one in recovery.files)]
        if not recovery.files and bare:
            text += ", and the links and empty folders asked for"
        proof = " Their content was proven against the snapshot." if recovery.proven else ""
        return " ".join(filter(None, [f"{text}, to {recovery.target}.{proof}", self.remark, self.remark_on_regions]))

    @property
    def remark(self) -> str:
        """Files are all there, but for instance not their owners."""
        return " ".join(filter(None, [self.older, self._attributes]))

    @property
    def _attributes(self) -> str:
        if not self.recovery.attributes:
            return ""
        item, said = next(iter(self.recovery.attributes.items()))
        return (
            f"Owner, mode, times or attributes of {len(self.recovery.attributes)} items could not be set, "
            f"beginning with {item} ({said})."
        )

    @property
    def remark_on_regions(self) -> str:
        """Which region each part came from, where that is not simply the first."""
        used = self._used()
        parts = ", ".join(f"{count} files from region {name}" for name, count in used.items())
        split = f"{parts}: the first region has not everything whole." if len(used) > 1 else ""
        only = next(iter(used), "")
        if len(used) == 1 and only != self._first and not self.note:
            split = f"Everything came from the copy in region {only}."
        return " ".join(filter(None, [self.note, split]))

    @property
    def _first(self) -> str:
        return self.recovery.session.identity.repositories[0].region

    def _used(self) -> dict[str, int]:
        return {name: count for name, count in self.recovery.regions.items() if count}

    @property
    def _left(self) -> str:
        """What is in the target now that is not proven."""
        if not self.recovery.renamed:
            return ""
        return (
            f"{len(self.recovery.renamed)} files that are not proven were renamed, such as {self.recovery.renamed[0]}."
        )

    def _said(self, sign: str) -> bool:
        return any(sign in said for said in self.recovery.failed.values())

    def _remedy(self, reason: str) -> str:
        if self._said(_LONG):
            return "Restore to a folder with a shorter path: that of some files becomes too long below this one."
        if any(self._said(sign) or sign in reason for sign in _DAMAGE) or self.recovery.error is not None:
            return (
                "Run strongroom-agent repair: it brings back what the other region or this machine still has. "
                "An older snapshot may have these files whole: strongroom-agent restore --snapshot ID."
            )
        return "Check permissions in the target folder, then restore again to a new folder."
