"""Setup that is run again where it has been done: nothing is changed, so that one line can go to machines twice."""

from pathlib import Path

from strongroom_agent.core import times
from strongroom_agent.core.output import Done
from strongroom_agent.portal import enrolment_code, reports
from strongroom_agent.portal.credential_file import read_object
from strongroom_agent.portal.registration import registered_elsewhere
from strongroom_agent.state import identity
from strongroom_agent.state.home import Home
from strongroom_agent.state.identity import Identity
from strongroom_agent.state.session import describe

_FILE = "setup-done.json"


def nothing_to_do(home: Home, vault_id: str) -> Done | None:
    """What is answered where this machine is registered with the vault, backed up and restored; None where setup has
    something to do. AgentError `already_registered` where it is registered with another vault."""
    found = identity.load(home)
    if found is None:
        return None
    if found.vault["id"] != vault_id:
        raise registered_elsewhere(found)
    if not _is_done(home, found):
        return None
    return Done(
        f"This machine is registered as {found.name} with vault {found.vault['name']}, backed up and restored already:"
        " nothing was changed, and no code was used.",
        code="done_already",
        details=describe(found),
    )


def vault_of(credentials: str) -> str:
    """The vault that a credential file is for; nothing in it is checked. AgentError for what is no such file."""
    vault = read_object(Path(credentials))["vault"]
    return str(vault["id"]) if isinstance(vault, dict) else ""


def done(home: Home, registered: Identity) -> None:
    """Setup has come to its end for this machine: what it needed to go on is not needed any more."""
    home.write_object(_FILE, {"machine": registered.machine_id, "at": times.render(times.now())})
    enrolment_code.forget(home)


def _is_done(home: Home, found: Identity) -> bool:
    """Setups from before this file was written are known by their restore check."""
    if (home.read_object(_FILE) or {}).get("machine") == found.machine_id:
        return True
    checked = reports.last(home).get("restore_check")
    return isinstance(checked, dict) and checked.get("outcome") == "succeeded"
