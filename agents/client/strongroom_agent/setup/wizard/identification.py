"""The step *Vault identification*: which vault this machine goes to, and under which name."""

import socket
from pathlib import Path

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.portal import enrolment_code, registration
from strongroom_agent.portal.credential_file import read_object
from strongroom_agent.setup import checks
from strongroom_agent.state import identity

from . import defaults
from .asking import Lines, Question
from .draft import CODE_GOES_WITH, Draft
from .steps import Field, Step, required

STEP = Step(
    4,
    "Vault identification",
    "Which vault this machine goes to is said by the file downloaded from the vault's Quick Start page, good for 48 "
    "hours, or by a one-time code that the page shows, good for ten minutes. Neither is sent before the summary is "
    "agreed to.",
)
_CODE = "a one-time code, not shown"


class CredentialFile(Field):
    """A file, or a one-time code in its place: then the code is in the option `code`, and this one names the file that
    it will be exchanged for."""

    key, label, step = "credentials", "Vault credentials file", STEP

    def question(self, draft: Draft) -> Question:
        """The newest one that was downloaded, if it is found; a code that was typed before is not shown again."""
        label, known = f"{self.label}, or a one-time code", ""
        hint = "Enter keeps the code that was typed" if draft.by_code else "type the path of the file, or the code"
        if not draft.by_code:
            known = draft.options.credentials or defaults.credentials(draft)
        return Question(label, known, hint=hint, paths=True, check=_check_there)

    def ask(self, draft: Draft, lines: Lines) -> str:
        """What was typed; where a code was typed before and nothing now, the file that it will be exchanged for."""
        text = super().ask(draft, lines)
        return text if text or not draft.by_code else str(enrolment_code.kept_at(draft.home))

    def check(self, draft: Draft, value: object) -> Draft:
        """Everything that can be checked without the portal. A code is used once, so it is not tried here."""
        text = required(str(value), "the path of the file, or the code")
        kept = str(enrolment_code.kept_at(draft.home))
        if code := draft.options.code if text == kept else text if enrolment_code.resembles_code(text) else "":
            return draft.taking("code", enrolment_code.normal(code)).taking(self.key, kept)
        taken = draft.without("code", *CODE_GOES_WITH).taking(self.key, defaults.full(text))
        given = taken.credential
        if draft.options.name and given.replaces:
            checks.name_for(given, draft.options.name)
        return taken

    def shown(self, draft: Draft) -> str:
        """With what it says."""
        if draft.by_code:
            return _CODE
        try:
            given = draft.credential
        except AgentError:
            return draft.options.credentials
        what = f"to replace {given.machine['name']} in vault" if given.replaces else "vault"
        return f"{draft.options.credentials} ({what} {given.vault['name']}, until {times.for_people(given.expires_at)})"


class _BesideCode(Field):
    """What the Quick Start page says beside the code."""

    step = STEP

    def form(self, text: str) -> str:
        """The answer in its usual form. AgentError `usage` for what has none."""
        raise NotImplementedError

    def applies(self, draft: Draft) -> bool:
        """Only of a code."""
        return draft.by_code

    def question(self, draft: Draft) -> Question:
        """As it stands in the page's line."""
        known = str(draft.value(self.key))
        return Question(self.label, known, hint="copy it from the Quick Start page's line", check=self.form)

    def check(self, draft: Draft, value: object) -> Draft:
        """Its form; the portal is asked at the prerequisites."""
        return draft.taking(self.key, self.form(required(str(value), "what stands in the page's line")))


class Edge(_BesideCode):
    """Where machines reach the portal."""

    key, label = "edge", "Address of Strongroom for machines (--edge in the page's line)"

    def form(self, text: str) -> str:
        """An https address."""
        return enrolment_code.address(text)


class RootDigest(_BesideCode):
    """Whom to trust there."""

    key, label = "ca_sha256", "SHA-256 of its root certificate (--ca-sha256)"

    def form(self, text: str) -> str:
        """64 hexadecimal digits."""
        return enrolment_code.digest(text)


class VaultId(_BesideCode):
    """Which vault the code is for."""

    key, label = "vault", "Identifier of the vault (--vault)"

    def form(self, text: str) -> str:
        """A UUID."""
        return enrolment_code.vault(text)

    def check(self, draft: Draft, value: object) -> Draft:
        """And this machine is not registered with another one."""
        taken = super().check(draft, value)
        found = identity.load(draft.home)
        if found is not None and found.vault["id"] != taken.options.vault:
            raise registration.registered_elsewhere(found)
        return taken


class Name(Field):
    """What the machine is called in its vault."""

    key, label, step = "name", "Name of this machine", STEP

    def applies(self, draft: Draft) -> bool:
        """A replacement has the name of the machine whose place it takes."""
        if draft.by_code:
            return True
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
        if "credentials" in draft.answered and not draft.by_code:
            given = taken.credential
            registration.current(draft.home, given, checks.name_for(given, taken.options.name))
        return taken


def _check_there(text: str) -> None:
    """Fast enough while somebody types; what it says is checked afterwards."""
    if enrolment_code.resembles_code(text):
        enrolment_code.normal(text)
    else:
        read_object(Path(text).expanduser())


def _usable(name: str) -> bool:
    try:
        return bool(checks.machine_name(name))
    except AgentError:
        return False


FIELDS: tuple[Field, ...] = (CredentialFile(), Edge(), RootDigest(), VaultId(), Name())
