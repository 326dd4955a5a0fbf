"""What `doctor` looks at on the machine itself."""

import shutil
import stat
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from strongroom_agent import __version__
from strongroom_agent.core import surroundings, times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.core.times import for_people
from strongroom_agent.portal import reports
from strongroom_agent.restic import engine
from strongroom_agent.schedule import installation, plan
from strongroom_agent.state import passphrase, protected
from strongroom_agent.state.home import Home
from strongroom_agent.state.session import Session, open_session

_ROOM = 256 << 20
"""Less free room than this for restic's cache and temporary files, and a backup is likely to fail."""


@dataclass
class Patient:
    """The machine that is looked at, and until when (by the monotonic clock) there is time for it."""

    home: Home
    until: float

    def left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()

    @cached_property
    def session(self) -> Session:
        """Opened once; AgentError where it cannot be."""
        return open_session(self.home)


def programs(_: Patient) -> str:
    """The agent's version and restic's."""
    found = engine.find()
    return f"strongroom-agent {__version__}, restic {found.version} ({found.program})."


def state_folder(patient: Patient) -> str:
    """There, ours, and closed to others."""
    folder = patient.home.folder
    patient.home.require_own()
    if not folder.is_dir():
        raise AgentError("not_registered", f"There is no {folder}.", "Run strongroom-agent setup as this user.")
    if sys.platform != "win32" and (mode := stat.S_IMODE(folder.stat().st_mode)) & 0o077:
        raise AgentError("home_unusable", f"{folder} has mode {mode:04o}.", f"Run: chmod 700 {folder}.")
    free = shutil.disk_usage(folder).free
    if free < 1 << 20:
        raise AgentError("disk_full", f"The disk of {folder} has {readable(free)} left.", "Free some space there.")
    return f"{folder}, for this user alone."


def registered(patient: Patient) -> str:
    """Identity, settings, passphrase, and a certificate that is good now."""
    session, now = patient.session, times.now()
    if passphrase.stored(patient.home) is None:
        raise passphrase.missing(patient.home)
    current = session.identity
    said = f"{current.name} in vault {current.vault['name']}, certificate valid until {for_people(current.expires_at)}."
    if now >= current.expires_at:
        return f"{said} It has ended, and is renewed with the next run."
    return said


def protected_folders(patient: Patient) -> str:
    """Everything that is to be backed up is there."""
    names = patient.session.settings.protect
    gone = [name for name in names if protected.resolve(name).path is None]
    if gone:
        raise AgentError(
            "protect_missing",
            f"Not there: {', '.join(gone)}.",
            "Mount the disk, or run setup again with other --protect.",
        )
    patient.session.settings.options.patterns()
    return f"{', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}."


def cache_folder(patient: Patient) -> str:
    """Ours, and with room for restic's cache and temporary files."""
    folder = Path(patient.session.settings.cache_dir)
    if not folder.is_dir():
        raise AgentError(
            "cache_unusable", f"The cache folder {folder} is not there.", "Make it again, or mount its disk."
        )
    surroundings.require_own(folder)
    free = shutil.disk_usage(folder).free
    if free < _ROOM:
        raise AgentError(
            "cache_too_small",
            f"The cache folder {folder} has {readable(free)} free; a backup needs {readable(_ROOM)} and more.",
            "Free some space there, or choose another folder by running setup again with --cache-dir.",
        )
    return f"{folder}, {readable(free)} free for the cache and temporary files."


def backups(patient: Patient) -> str:
    """The last backup: that it went well, and is not older than the schedule promises."""
    run, ended = _last(patient.home, "backup")
    if run is None:
        raise AgentError("no_backup", "No backup has been made yet.", "Run strongroom-agent backup.")
    code = str(run.get("code") or "")
    if run.get("outcome") != "succeeded":
        raise AgentError(
            "backup_failed", f"The last one, {ended}, failed: {code}.", "Run strongroom-agent backup to see why."
        )
    known = plan.load(patient.home)
    age = times.now() - times.parse(str(run["finished_at"]))
    if known and age > timedelta(hours=known.calendar.every_hours * 1.25 + 2):
        raise AgentError(
            "backup_late",
            f"The last one ended {ended}; one is due {known.calendar}.",
            "See that the machine is on at that time, then look at the step Schedule.",
        )
    return f"the last one ended {ended}: {code.replace('_', ' ')}."


def restore_checks(patient: Patient) -> str:
    """The last restore check went well."""
    run, ended = _last(patient.home, "restore_check")
    if run is None or run.get("outcome") != "succeeded":
        what = "No restore was checked yet." if run is None else f"The last one, {ended}, failed: {run.get('code')}."
        raise AgentError("restore_check_failed", what, "Run strongroom-agent check.")
    return f"the last one ended {ended}: {str(run.get('code') or '').replace('_', ' ')}."


def schedule(patient: Patient) -> str:
    """Installed and on, or left out on purpose."""
    known = plan.load(patient.home)
    if known is None:
        return f"{installation.OFF} {installation.ON}"
    if trouble := installation.trouble(known):
        again = f"Run strongroom-agent schedule {known.calendar}."
        raise AgentError("schedule_inactive", f"The schedule is not in force. {trouble}", again)
    waiting = reports.waiting(patient.home)
    also = f"; {counted(waiting, 'report')} wait for the portal" if waiting else ""
    return f"{known.calendar} (local time), kept by {known.scheduler}{also}."


def _last(home: Home, kind: str) -> tuple[Mapping[str, object] | None, str]:
    found = reports.last(home).get(kind)
    if not isinstance(found, Mapping) or not isinstance(found.get("finished_at"), str):
        return None, ""
    return found, times.people(str(found["finished_at"]))
