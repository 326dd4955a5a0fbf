"""A backup to a repository that is known to be damaged: what is lost and still on this machine is stored again.

A backup alone would not do: restic believes its index, which still names what is gone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import httpx

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import progress
from strongroom_agent.core.sizes import counted
from strongroom_agent.portal.client import describe, unreachable
from strongroom_agent.restic import soundness
from strongroom_agent.restic.process import Restic
from strongroom_agent.state.session import Session

from . import damage

RECENT = (0, 18)  # the first restic whose `check` and `repair` say what they find in JSON
_FILE = "healed.json"
_NO_DELETION = "the storage does not let this machine replace its index; the portal may be older than this agent."
_BY_PORTAL = "the portal has set objects aside or misses some in each region"


@dataclass(frozen=True)
class Kept:
    """The index from before damaged packs were taken out of it, and those of them that the paired region has whole."""

    region: str
    packs: frozenset[str]
    index: Mapping[str, bytes]

    def put_back(self, session: Session, restic: Restic) -> None:
        """Have the index name these packs again: restores read them from the pair until the portal has replaced them.

        Packs that are gone, which the index had named too, go out of it once more.
        """
        progress(f"keeping {counted(len(self.packs), 'damaged pack')} that region {self.region} has whole")
        there = session.storage.names(session.primary, "index")
        for name, content in self.index.items():
            if name not in there:
                session.storage.store(session.primary, f"index/{name}", content)
        soundness.rebuild_index(restic)
        damage.note_objects(session, self.packs)

    @property
    def remark(self) -> str:
        """What holds from now on."""
        return (
            f"Older snapshots need {counted(len(self.packs), 'pack')} that {_are(self.packs)} damaged in the first "
            f"region and whole in region {self.region}: restores read them there. The portal is told which, and "
            "replaces them, mostly within minutes."
        )


@dataclass(frozen=True)
class Healing:
    """One backup's part in it: `reason` is empty where no damage is known, `force` has all files read again."""

    session: Session
    reason: str = ""
    force: bool = False
    packs: frozenset[str] = frozenset()  # damaged ones from which was saved what is whole
    kept: Kept | None = None
    trouble: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        """Further options for `restic backup`."""
        return ("--force",) if self.force else ()

    def end(self, restic: Restic) -> str:
        """After the backup: what to say of the damage; empty where none is known."""
        if not self.reason:
            return ""
        text = f"These backups are known to be damaged: {self.reason}."
        if self.force:
            text += f" What was lost and is still here has been stored again{self._left(restic)}."
        if self.trouble:
            text += f" It could not be repaired now: {self.trouble}"
        return text

    def _left(self, restic: Restic) -> str:
        """What the structure looks like now. It is remembered, so that nobody tries again what cannot be mended."""
        try:
            left, kept = soundness.look(restic), ""
            if left.errors and self.kept:
                self.kept.put_back(self.session, restic)
                left, kept = soundness.look(restic), f". {self.kept.remark.rstrip('.')}"
        except AgentError:
            return ""  # the backup is made; the next one looks again
        self.session.home.write_object(_FILE, {"findings": left.digest})
        damage.settle(self.session, self.packs)
        return f"; some older snapshots are not whole{kept}" if left.errors else f"; the structure is sound again{kept}"


def begin(session: Session, restic: Restic) -> Healing:
    """Before a backup: make the index name only what is there, if damage is known and was not dealt with yet.

    Whatever goes wrong here is told, and is no reason to make no backup.
    """
    hear(session)
    known = damage.known(session)
    if known is None:
        return Healing(session)
    reason = known.reason.rstrip(".")
    if not recent(session):
        return Healing(session, reason, trouble="repairing needs restic 0.18 or newer.")
    try:
        packs = _unsound(session, known.packs)
        kept = keep(session, packs)
        return Healing(session, reason, force=_rebuilt(session, restic, packs), packs=packs, kept=kept)
    except AgentError as error:
        trouble = _NO_DELETION if error.code == "not_allowed" else error.problem
        progress(f"note: {trouble}")
        return Healing(session, reason, trouble=trouble)


def _unsound(session: Session, packs: frozenset[str]) -> frozenset[str]:
    """Those of the packs that are there and damaged. Others were brought back by the portal, or are gone."""
    there = packs and packs.intersection(session.storage.names(session.primary, "data"))
    return frozenset(each for each in there if not session.storage.is_sound(session.primary, "data", each))


def keep(session: Session, packs: Collection[str]) -> Kept | None:
    """What `Kept.put_back` needs, before damaged packs are taken out of the index; None where no pair has one whole.

    What this machine still has is stored again without it. AgentError when a region does not answer.
    """
    for repository in session.identity.repositories[1:] if packs else ():
        try:
            whole = frozenset(each for each in packs if session.storage.is_sound(repository, "data", each))
        except httpx.TransportError as error:
            raise unreachable(repository.url, describe(error), session.proxy) from error
        if whole:
            names = session.storage.names(session.primary, "index")
            index = {name: session.storage.read(session.primary, f"index/{name}") for name in names}
            return Kept(repository.region, whole, index)
    return None


def _are(packs: Collection[str]) -> str:
    return "is" if len(packs) == 1 else "are"


def _rebuilt(session: Session, restic: Restic, packs: frozenset[str]) -> bool:
    """Rebuild the index if something is lost that was not dealt with yet; whether it was."""
    progress("damage is known: looking at what is lost")
    found = soundness.look(restic)
    lost = bool(found.errors) and found.digest != _dealt_with(session)
    if not lost and not packs:
        return False
    if lost:
        progress("rebuilding the index, then storing again what is lost and still here")
        packs |= rebuild_index(session, restic)
    save(restic, packs)
    return True


def rebuild_index(session: Session, restic: Restic) -> frozenset[str]:
    """Make the index name what is there; the damaged packs among those that it names again.

    restic takes in every pack that there is, also those from which all that is whole was saved before: this machine
    cannot delete them. What they have lost would count as stored, so they must go out of the index again.
    """
    return _unsound(session, frozenset(soundness.rebuild_index(restic)))


def save(restic: Restic, packs: Collection[str]) -> None:
    """Move what is whole in damaged packs to new ones, and put the damaged ones out of the index."""
    if packs:
        progress(f"saving what is whole in {counted(len(packs), 'damaged pack')}")
        soundness.salvage(restic, packs)


def recent(session: Session) -> bool:
    """Whether the engine can repair."""
    return tuple(map(int, session.engine.version.split(".")[:2])) >= RECENT


def hear(session: Session) -> None:
    """The portal sees what the storage has lost before this machine does."""
    try:
        damaged = session.sign_of_life().body.get("damaged") is True
    except AgentError:
        return  # whoever is refused hears it from the storage, and in better words
    if damaged:
        damage.mark(session, _BY_PORTAL)


def _dealt_with(session: Session) -> str:
    """What was found when all that could be stored again had been: nothing more can be done about that."""
    try:
        return str((session.home.read_object(_FILE) or {}).get("findings", ""))
    except AgentError:
        return ""
