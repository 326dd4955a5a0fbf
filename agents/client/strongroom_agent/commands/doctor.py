"""The command `doctor`: what stands between this machine and a backup, step by step, within ten seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import Done
from strongroom_agent.core.step_names import (
    CACHE,
    CLOCK,
    CONNECTION,
    ENCRYPTION,
    FIRST_BACKUP,
    GET,
    PORTAL,
    PROTECTED,
    REGISTER,
    RESOLUTION,
    RESTORE_CHECK,
    SCHEDULE,
    STATE,
    STORAGE,
)
from strongroom_agent.state.home import Home

from . import doctor_machine, doctor_network, support_bundle
from .doctor_machine import Patient

SECONDS = 10.0
"""For everything; what has not been asked by then is not asked."""


@dataclass(frozen=True)
class Step:
    """What was looked at: `ok` is None for what could not be looked at because of an earlier one."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""
    error: AgentError | None = None

    @property
    def shown(self) -> dict[str, object]:
        """For programs."""
        return {"name": self.name, "ok": self.ok, "detail": self.detail, "remedy": self.remedy}

    def __str__(self) -> str:
        mark = {True: "ok     ", False: "WRONG  ", None: "not yet"}[self.ok]
        return " ".join(filter(None, [mark, f"{self.name}: {self.detail}", self.remedy]))


@dataclass(frozen=True)
class Examination:
    """One thing to look at: `look` gives what is there to say, or raises AgentError with what is wrong; it is looked
    at only when the steps in `after` are well."""

    name: str
    look: Callable[[Patient], str]
    after: tuple[str, ...] = ()


EXAMINATIONS = (
    Examination(GET, doctor_machine.programs),
    Examination(STATE, doctor_machine.state_folder),
    Examination(REGISTER, doctor_machine.registered, (STATE,)),
    Examination(PROTECTED, doctor_machine.protected_folders, (REGISTER,)),
    Examination(CACHE, doctor_machine.cache_folder, (REGISTER,)),
    Examination(RESOLUTION, doctor_network.resolution, (REGISTER,)),
    Examination(CONNECTION, doctor_network.connection, (RESOLUTION,)),
    Examination(CLOCK, doctor_network.clock, (CONNECTION,)),
    Examination(ENCRYPTION, doctor_network.encryption, (CONNECTION, CLOCK)),
    Examination(PORTAL, doctor_network.portal, (ENCRYPTION, GET)),
    Examination(STORAGE, doctor_network.storage, (PORTAL,)),
    Examination(FIRST_BACKUP, doctor_machine.backups, (REGISTER,)),
    Examination(RESTORE_CHECK, doctor_machine.restore_checks, (REGISTER,)),
    Examination(SCHEDULE, doctor_machine.schedule, (REGISTER,)),
)
"""In the order in which a backup needs them; the names of Quick Start's steps are those of that page."""


def run(home: Home, bundle: str | None) -> Done:
    """Look at everything; with `bundle` write the file for support, whatever was found.

    AgentError with all steps and the code of the first one that is wrong, when one is.
    """
    steps = examine(Patient(home, time.monotonic() + SECONDS))
    details: dict[str, object] = {"steps": [step.shown for step in steps]}
    lines = [str(step) for step in steps]
    if bundle is not None:
        details["bundle"] = support_bundle.write(home, Path(bundle), details["steps"])
        lines.append(f"What support needs is in {details['bundle']}; there is no secret in it.")
    wrong = next((step for step in steps if step.error), None)
    if wrong is None or wrong.error is None:
        return Done("\n".join([*lines, "Nothing stands between this machine and a backup."]), details=details)
    problem = "\n".join([*lines, f"First of all, {wrong.name}: {wrong.detail}"])
    raise AgentError(wrong.error.code, problem, wrong.remedy, **details)


def examine(patient: Patient) -> list[Step]:
    """The steps, in their order."""
    done: dict[str, Step] = {}
    for each in EXAMINATIONS:
        blocked = [name for name in each.after if done[name].ok is not True]
        if blocked:
            done[each.name] = Step(each.name, None, f"not looked at because of: {', '.join(blocked)}.")
        elif patient.left() <= 0:
            done[each.name] = Step(each.name, None, f"not looked at: {SECONDS:.0f} seconds are over.")
        else:
            done[each.name] = _looked(each, patient)
    return list(done.values())


def _looked(examination: Examination, patient: Patient) -> Step:
    try:
        return Step(examination.name, True, examination.look(patient))
    except AgentError as error:
        return Step(examination.name, False, error.problem, error.remedy, error)
    except OSError as error:
        said = AgentError("file_unusable", f"{error.filename or examination.name}: {error.strerror or error}.", "")
        return Step(examination.name, False, said.problem, "Check that this user may use it.", said)
