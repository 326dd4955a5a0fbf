"""The step *Finish*: the first backup and restore check, and what a person has to know from now on."""

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from strongroom_agent.commands import backup
from strongroom_agent.core.output import Done
from strongroom_agent.core.sizes import counted
from strongroom_agent.core.times import people
from strongroom_agent.portal import reports
from strongroom_agent.proof import restore_check
from strongroom_agent.restic.snapshots import Snapshot
from strongroom_agent.state.session import Session, describe


def prove(
    session: Session,
    program: Path,
    earlier: list[Snapshot],
    passphrase_in: str | None,
    unprotected: list[str],
    settle: Callable[[], tuple[str, dict[str, object]]],
) -> Done:
    """First backup and restore check: only then setup is done. `earlier` are the snapshots of a machine that this
    computer has replaced, `unprotected` what an earlier setup protected and this one does not; `settle` does what
    follows, and says what is to be known of it."""
    saved = backup.back_up(session)
    checked = restore_check.restore_check(session, saved.snapshot)
    reported = reports.waiting(session.home) == 0
    vault = session.identity.vault["name"]
    told = "" if reported else "The portal could not be told yet; the next run will do it."
    text = f"{session.identity.name} is registered with vault {vault}, backed up and restored:"
    command = _command(program, session.home.folder)
    where = f"The program is {program}. From now on, as this user, {command} backup makes a backup."
    said = [
        text,
        checked.remark,
        checked.remedy,
        saved.remark,
        saved.remedy,
        saved.note,
        told,
        about(unprotected),
        where,
    ]
    after, fields = settle()
    said += [after, _about(earlier), _about_file(passphrase_in)]
    return Done(
        " ".join(filter(None, said)),
        remedy=saved.remedy,
        details={
            **describe(session.identity),
            "program": str(program),
            "backup": saved.details,
            "restore_check": checked.figures,
            "reported": reported,
            "no_longer_protected": unprotected,
            **fields,
            **({"earlier_snapshots": [asdict(each) for each in earlier]} if earlier else {}),
        },
    )


def about(unprotected: list[str]) -> str:
    """What is said of what is no longer protected, since nothing else would tell it."""
    return f"No longer protected: {', '.join(unprotected)}. Their backups stay." if unprotected else ""


def _command(program: Path, home: Path) -> str:
    """How the program is started, in a shell that does not know where its state is unless by default."""
    if not os.environ.get("STRONGROOM_AGENT_HOME"):
        return str(program)
    if sys.platform == "win32":
        return f'set "STRONGROOM_AGENT_HOME={home}" && "{program}"'
    return f"STRONGROOM_AGENT_HOME={shlex.quote(str(home))} {shlex.quote(str(program))}"


def _about_file(passphrase_in: str | None) -> str:
    """What matters most once this machine is gone."""
    if passphrase_in is None:
        return "Keep the passphrase somewhere else than on this machine: nobody can recover the data without it."
    return (
        f"The passphrase was saved to {Path(passphrase_in).absolute()}: copy it to a place off this machine now, since "
        "nobody can recover the data without it."
    )


def _about(earlier: list[Snapshot]) -> str:
    """How to get at what was there before; `latest` is the backup that setup has made just now."""
    if not earlier:
        return ""
    newest = earlier[-1]
    there = f"There {'is' if len(earlier) == 1 else 'are'} {counted(len(earlier), 'snapshot')} from before"
    return (
        f"{there}; the newest is of {people(newest.time)}: "
        f"strongroom-agent restore --snapshot {newest.id[:8]} --target DIR."
    )
