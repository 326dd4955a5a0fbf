"""Trying a version that lies there: it has to start, be what was signed, and find all well that this one finds well."""

import json
import os
import subprocess
import time
from pathlib import Path

from strongroom_agent.commands import doctor
from strongroom_agent.commands.doctor_machine import Patient
from strongroom_agent.core import surroundings
from strongroom_agent.core.errors import AgentError, why
from strongroom_agent.core.output import printable
from strongroom_agent.state.home import Home

LONGEST = 120  # seconds; the single file unpacks itself at its first start
_SHOWN = 300


def well(home: Home) -> set[str]:
    """The steps of `doctor` that are well with the version that runs now."""
    return {step.name for step in doctor.examine(Patient(home, time.monotonic() + doctor.SECONDS)) if step.ok}


def require(program: Path, home: Home, version: str, before: set[str]) -> None:
    """AgentError `update_broken`, with what is wrong, unless the program is this version and `doctor` of it finds well
    what was well `before`."""
    told = _ask(program, home, "--version")
    if told.strip() != f"strongroom-agent {version}":
        raise broken(version, f"it does not say its version, but {_short(told)}")
    answer = _ask(program, home, "doctor", "--json")
    try:
        steps = {str(step["name"]): step for step in json.loads(answer)["steps"]}
    except (ValueError, TypeError, KeyError) as error:
        raise broken(version, f"its doctor ends with {_short(answer)}") from error
    for name in sorted(before & steps.keys()):
        if steps[name].get("ok") is not True:
            raise broken(version, f"with it, {name} is not well: {_short(str(steps[name].get('detail')))}")


def broken(version: str, what: str) -> AgentError:
    """The error for a version that does not do here."""
    return AgentError(
        "update_broken",
        f"Version {version} does not work on this machine: {what}. This machine keeps the version that it has.",
        "Tell an administrator of the portal, who can pause the release. By itself this machine tries it again in a "
        "week; strongroom-agent update does at once.",
    )


def _ask(program: Path, home: Home, *arguments: str) -> str:
    """What it says on standard output, or, when it says nothing there, how it ended."""
    kept = {name: os.environ[name] for name in ("HOME", "RESTIC", "TERM") if name in os.environ}
    environment = {**kept, "PATH": surroundings.search_path(), "STRONGROOM_AGENT_HOME": str(home.folder)}
    try:
        done = subprocess.run(
            [program, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST,
            check=False,
            preexec_fn=surroundings.dies_with_us(),
        )
    except subprocess.TimeoutExpired:
        return f"nothing for {LONGEST} seconds"
    except OSError as error:
        return f"nothing, since it cannot be started ({why(error)})"
    said = done.stdout.decode("utf-8", "replace")
    return said or f"nothing; exit status {done.returncode}; {done.stderr.decode('utf-8', 'replace')[-_SHOWN:]}"


def _short(text: str) -> str:
    return printable(" ".join(text.split()), keep="")[:_SHOWN] or "nothing"
