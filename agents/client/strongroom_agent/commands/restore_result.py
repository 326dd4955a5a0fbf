"""What came of a restore, in figures and in words."""

from dataclasses import dataclass
from functools import cached_property

from strongroom_agent.core.errors import QUOTA_REMEDY, READ_ONLY_REMEDY, AgentError
from strongroom_agent.core.paths import is_below, machine_form
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.proof import damage
from strongroom_agent.proof.free_room import became_full
from strongroom_agent.proof.recovery import NOT_THERE, Recovery
from strongroom_agent.restic.errors import is_full, is_of_the_place
from strongroom_agent.state import protected

_SHOWN = 20
_DAMAGE = (
    "ciphertext",
    "> does not exist",
    "not found in repository",
    "invalid data",
    "nonce is invalid",
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
            "target": self.recovery.target.name,
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
            "unproven_in_place_first": recovery.stuck[:_SHOWN],
            "renamed": len(recovery.renamed),
            "renamed_first": recovery.renamed[:_SHOWN],
            **self.details,
        }
        if ends := [path for path in self.lacking if is_full(recovery.failed[path])]:
            full = became_full(recovery.target.path, ends[0], recovery.failed[ends[0]], recovery.unproven)
            full = recovery.target.in_words(full)
            return AgentError(
                full.code, f"{full.problem} {self._left}".strip(), full.remedy, **{**more, **full.details}
            )
        reason = self._reason
        because = f" ({reason})" if reason else ""
        problem = (
            f"{len(self.lacking)} of {counted(total, 'item')} not restored as the snapshot has them, beginning with "
            f"{self.lacking[0]}{because}. {self._left}"
        )
        return AgentError("restore_incomplete", problem.strip(), self._remedy(reason), **more)

    @property
    def message(self) -> str:
        """The whole answer for a person."""
        recovery = self.recovery
        text = (
            f"Restored {counted(len(recovery.proven), 'file')}, {readable(sum(each.size for each in recovery.proven))}"
        )
        bare = [each for each in recovery.parts if all(one.path != each.listed for one in recovery.files)]
        if not recovery.files and bare:
            text += ", and the links and empty folders asked for"
        whose = "Its" if len(recovery.proven) == 1 else "Their"
        proof = f" {whose} content was proven against the snapshot." if recovery.proven else ""
        return " ".join(
            filter(
                None,
                [
                    f"{text}, to {recovery.target.name}.{proof}",
                    self.remark,
                    self.remark_on_regions,
                    self._remark_on_target,
                ],
            )
        )

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
            f"Owner, mode, times or attributes of {counted(len(self.recovery.attributes), 'item')} could not be set, "
            f"beginning with {item} ({said})."
        )

    @property
    def remark_on_regions(self) -> str:
        """Which region each part came from, where that is not simply the first."""
        used = self._used()
        parts = ", ".join(f"{counted(count, 'file')} from region {name}" for name, count in used.items())
        split = f"{parts}: the first region has not everything whole." if len(used) > 1 else ""
        only = next(iter(used), "")
        if len(used) == 1 and only != self._first and not self.note:
            split = f"Everything came from the copy in region {only}."
        return " ".join(filter(None, [self.note, split]))

    @property
    def _remark_on_target(self) -> str:
        """A restore into what is protected is stored once more; one to its own place is what people want."""
        target = machine_form(self.recovery.target.name)
        for name in self.recovery.session.settings.protect:
            path = protected.resolve(name).path
            if path is not None and target != "/" and is_below(target, machine_form(path)):
                return f"The target lies in {path}, which is protected: the next backup stores what was restored there."
        return ""

    @property
    def _first(self) -> str:
        return self.recovery.session.identity.repositories[0].region

    def _used(self) -> dict[str, int]:
        return {name: count for name, count in self.recovery.regions.items() if count}

    @property
    def _left(self) -> str:
        """What is in the target now that is not proven."""
        renamed, stuck = self.recovery.renamed, self.recovery.stuck
        said = [f"Not proven and renamed: {counted(len(renamed), 'file')}, such as {renamed[0]}."] if renamed else []
        if stuck:
            said.append(f"Not proven and still under its name: {counted(len(stuck), 'file')}; do not use {stuck[0]}.")
        return " ".join(said)

    @property
    def _reason(self) -> str:
        """Why: what was said about the first item that lacks, or about any, and why a region could not be read."""
        failed, error = self.recovery.failed, self.recovery.error
        said = [failed[path] for path in self.lacking if failed[path] != NOT_THERE][:1]
        return "; ".join([*said, *([error.problem.rstrip(".")] if error else [])])

    def _said(self, sign: str) -> bool:
        return any(sign in said for said in self.recovery.failed.values())

    def _remedy(self, reason: str) -> str:
        if self._said(_LONG):
            return "Restore to a folder with a shorter path: that of some files becomes too long below this one."
        if self._said("read-only file system"):
            return READ_ONLY_REMEDY
        if self._said("disk quota exceeded"):
            return QUOTA_REMEDY
        if all(is_of_the_place(self.recovery.failed[path]) for path in self.lacking):
            return "Check owner and permissions of what is in the target, or restore to a new folder."
        if any(self._said(sign) or sign in reason for sign in _DAMAGE) or self.recovery.error is not None:
            if advice := damage.way_out(self.recovery.session, self.recovery.found.snapshot.id):
                return advice
            return (
                "Run strongroom-agent repair: it brings back what the other region or this machine still has. "
                "An older snapshot may have these files whole: strongroom-agent restore --snapshot ID."
            )
        return "Check permissions in the target folder, then restore again to a new folder."
