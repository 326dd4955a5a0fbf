"""The step *Vault identification*: which vault this machine goes to, and under which name."""

import socket
from pathlib import Path

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.portal import registration
from strongroom_agent.portal.credential_file import read_object
from strongroom_agent.setup import checks

from . import defaults
from .asking import Question
from .draft import Draft
from .steps import Field, Step, required

STEP = Step(
    4,
    "Vault identification",
    "The file downloaded from the vault's Quick Start page says which vault this machine goes to. "
    "It is checked here before anything is sent, and is good for 48 hours.",
)


class CredentialFile(Field):
    """The way by a file. Another way to a vault is another field here, of which one applies."""

    key, label, step = "credentials", "Vault credentials file", STEP

    def question(self, draft: Draft) -> Question:
        """The newest one that was downloaded, if it is found."""
        known = draft.options.credentials or defaults.credentials()
        return Question(self.label, known, paths=True, hint="the path of the file", check=_check_there)

    def check(self, draft: Draft, value: object) -> Draft:
        """Everything that can be checked without the portal."""
        taken = draft.taking(self.key, defaults.full(required(str(value), "the path of the file")))
        given = taken.credential
        if draft.options.name and given.replaces:
            checks.name_for(given, draft.options.name)
        return taken

    def shown(self, draft: Draft) -> str:
        """With what it says."""
        try:
            given = draft.credential
        except AgentError:
            return draft.options.credentials
        what = f"to replace {given.machine['name']} in vault" if given.replaces else "vault"
        return f"{draft.options.credentials} ({what} {given.vault['name']}, until {times.for_people(given.expires_at)})"


class Name(Field):
    """What the machine is called in its vault."""

    key, label, step = "name", "Name of this machine", STEP

    def applies(self, draft: Draft) -> bool:
        """A replacement has the name of the machine whose place it takes."""
        try:
            return not ("credentials" in draft.answered and draft.credential.replaces)
        except AgentError:
            return True

    def question(self, draft: Draft) -> Question:
        """Like the host, as far as its name will do."""
        known = draft.options.name or socket.gethostname()
        return Question(self.label, known if _usable(known) else "", check=checks.machine_name)

    def check(self, draft: Draft, value: object) -> Draft:
        """It can be one, and this computer is not registered as something else already."""
        taken = draft.taking(self.key, checks.machine_name(str(value)))
        if "credentials" in draft.answered:
            given = taken.credential
            registration.current(draft.home, given, checks.name_for(given, taken.options.name))
        return taken


def _check_there(text: str) -> None:
    """Fast enough while somebody types; what it says is checked afterwards."""
    read_object(Path(text).expanduser())


def _usable(name: str) -> bool:
    try:
        return bool(checks.machine_name(name))
    except AgentError:
        return False


FIELDS: tuple[Field, ...] = (CredentialFile(), Name())
