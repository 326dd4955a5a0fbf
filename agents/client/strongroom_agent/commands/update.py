"""The command `update`: a newer version of this program, where the portal has one for this machine.

The portal is believed in nothing: it only shows a manifest, which somebody with an update key has signed elsewhere, and
says whether this machine is to take it yet. The new version is laid beside the old one, tried, switched to in one step,
tried again where it is then, and gone back from if it fails.
"""

import errno
from dataclasses import dataclass
from datetime import timedelta

from strongroom_agent import __version__
from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import Done, progress
from strongroom_agent.state.home import Home
from strongroom_agent.state.session import Session
from strongroom_agent.update import asking, fetching, keys, laying, manifest, memory, places, switch, trial
from strongroom_agent.update.manifest import Release, ReleaseFile
from strongroom_agent.update.memory import FAILED, TRYING, UPDATED, WAITING
from strongroom_agent.update.places import Place

NOT_HERE = frozenset({"update_by_package", "not_updatable", "no_update_keys", "portal_too_old"})
"""Codes of machines that do not update themselves: nothing has failed."""
AGAIN_AFTER = timedelta(days=7)
"""So long after it failed here a file is not tried again by itself."""
PASSING = frozenset({"network", "unavailable", "throttled", "busy"})


@dataclass(frozen=True)
class _Found:
    """A release that is believed, which this machine is to take, and the file for it."""

    release: Release
    file: ReleaseFile


def run(session: Session, *, check: bool = False, by_itself: bool = False) -> Done:
    """Update this machine's program, or with `check` only say whether there is a newer one. `by_itself`: from the
    schedule, which does not try again what has failed here.

    AgentError with what is wrong; the program is then what it was.
    """
    place = places.of(session)
    trusted = keys.built_in()
    try:
        with place.held():
            return _run(session, place, trusted, check=check, by_itself=by_itself)
    except AgentError as error:
        if error.code not in NOT_HERE | PASSING and not check:
            _note_failure(session.home, error.code, broken=memory.load(session.home).broken)
        raise
    except OSError as error:
        _note_failure(session.home, "disk_full" if error.errno == errno.ENOSPC else "file_unusable")
        raise


def _note_failure(home: Home, code: str, broken: str = "") -> None:
    """Without `broken` it says nothing against the version: it is tried again with the next run."""
    known = memory.load(home)
    version = known.version if known.state in (WAITING, TRYING, FAILED) else ""
    memory.note(home, FAILED, version=version, code=code, broken=broken)


def _run(session: Session, place: Place, trusted: keys.Keys, *, check: bool, by_itself: bool) -> Done:
    _finish(session, place)
    found = _look(session, place, trusted)
    if isinstance(found, Done):
        return found
    version, home = found.release.version, session.home
    if by_itself and not check and _failed_lately(home, found.file):
        raise trial.broken(version, "it has failed here before")
    memory.note(home, WAITING, version=version)
    if check:
        return Done(
            f"Version {version} is there; this is {__version__}. Run strongroom-agent update to take it.",
            code="update_available",
            details=_details(version),
        )
    _take(session, place, found)
    return Done(
        f"Updated from {__version__} to {version}. What starts from now on is the new version.",
        code="updated",
        details=_details(version),
    )


def _look(session: Session, place: Place, trusted: keys.Keys) -> _Found | Done:
    """What there is to take, or why there is nothing."""
    said, home = asking.ask(session, place.kind), session.home
    if said.manifest is None:
        if memory.load(home).serial(trusted):
            raise AgentError(
                "update_withheld",
                "The portal shows no release, and has shown one before. Nothing was changed.",
                "Tell an administrator of the portal: somebody may be keeping newer releases from this machine, or the "
                "portal was restored from an old backup; then the release is published again.",
            )
        memory.note(home, "")
        return Done(
            f"The portal has published no release; this is {__version__}.", code="no_release", details=_details()
        )
    release = manifest.verified(said.manifest, trusted)
    manifest.require_current(release, serial=memory.load(home).serial(trusted), now=times.now())
    memory.note_serial(home, trusted, release.serial)
    own = manifest.order(__version__)
    if release.order < own:
        raise AgentError(
            "update_rolled_back",
            f"The portal shows release {release.version}, and this is {__version__} already. Nothing was changed.",
            "Nothing has to be done here: an administrator publishes a newer release.",
        )
    if release.order == own:
        _clear_up(place)
        if memory.load(home).state != UPDATED:
            memory.note(home, "")
        return Done(f"This is the newest version, {__version__}.", code="up_to_date", details=_details(release.version))
    if not said.take:
        _forget_other_than(home, release.version)
        message = f"Version {release.version} is there, but not for this machine yet: {said.why}"
        return Done(message, code="update_not_staged", details=_details(release.version))
    file = release.file(*places.system(), place.kind)
    if file is None:
        system = " ".join((*places.system(), place.kind))
        raise AgentError(
            "update_not_for_this_machine",
            f"Release {release.version} has nothing for this machine ({system}). Nothing was changed.",
            "Install a package from the portal's Agents page, or ask an administrator to add one to the release.",
        )
    return _Found(release, file)


def _forget_other_than(home: Home, version: str) -> None:
    """That it has failed here stays to be seen also while the release is paused, for which it may be the reason."""
    known = memory.load(home)
    if (known.state, known.version) != (FAILED, version):
        memory.note(home, "")


def _take(session: Session, place: Place, found: _Found) -> None:
    """Fetch, lay, try, switch, try again; back if that fails."""
    version, home = found.release.version, session.home
    switch.tidy(place)
    progress(f"fetching version {version}")
    fetched = fetching.fetch(session, found.file, place.versions)
    memory.note(home, TRYING, version=version, came_from=__version__, broken=found.file.sha256)
    program = laying.lay(place, found.release, fetched, found.file)
    progress(f"trying version {version} beside {__version__}")
    before = trial.well(home)
    try:
        trial.require(program, home, version, before)
    except AgentError:
        laying.remove(program.parent)
        fetched.unlink(missing_ok=True)
        raise
    switch.switch(place, program)
    _confirm(session, place, version, before)


def _confirm(session: Session, place: Place, version: str, before: set[str]) -> None:
    """The new version, where it is now started; gone back from if it is not well there."""
    try:
        trial.require(place.program, session.home, version, before)
    except BaseException:
        switch.go_back(place)
        switch.tidy(place)
        raise
    memory.note(session.home, UPDATED, version=version, came_from=memory.load(session.home).came_from)
    _clear_up(place)


def _clear_up(place: Place) -> None:
    """This is the newest version: nothing but it and the one before is needed."""
    switch.tidy(place)
    fetching.forget(place.versions)


def _finish(session: Session, place: Place) -> None:
    """An update that was cut short: killed before the switch, it has changed nothing; killed after it, this is the new
    version, which has not been found well yet."""
    known = memory.load(session.home)
    if known.state != TRYING:
        return
    if known.version != __version__ or not place.previous.exists():
        memory.note(session.home, "")
        switch.tidy(place)
        return
    progress(f"an update to {known.version} was cut short; trying it now")
    _confirm(session, place, known.version, set())


def _failed_lately(home: Home, file: ReleaseFile) -> bool:
    known = memory.load(home)
    return known.broken == file.sha256 and times.now() - times.parse(known.at) < AGAIN_AFTER


def _details(version: str = "") -> dict[str, object]:
    return {"version": __version__, "newest": version or None}


def after_backup(session: Session) -> None:
    """What the schedule does when a backup is over, however that ended. Never a reason for it to fail: how it went is
    remembered, and told to the portal."""
    before = memory.load(session.home)
    try:
        # Where updates are off, people still see that one waits.
        outcome = run(session, check=not session.settings.options.update, by_itself=True)
        if outcome.code in ("updated", "update_available"):
            progress(outcome.message)
    except AgentError as error:
        if error.code not in NOT_HERE:
            progress(f"note: no update was made. {error.message}")
    except OSError as error:
        progress(f"note: no update was made ({error}).")
    if memory.load(session.home) != before:
        _tell(session)


def _tell(session: Session) -> None:
    try:
        session.sign_of_life()
    except AgentError as error:
        progress(f"note: the portal hears of it with the next run. {error.problem}")
