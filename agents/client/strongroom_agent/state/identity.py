"""Who this machine is for the portal: certificate, key and repositories, kept in one file.

Certificate and key are in the same file so that no crash can leave one without the other. What restic
needs as files of its own is derived from it.
"""

from dataclasses import dataclass
from datetime import datetime

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.portal import keys
from strongroom_agent.portal.jws import Signer

from .home import Home

_FILE = "identity.json"
_CLIENT_PEM = "client.pem"
_CA_PEM = "ca.pem"


@dataclass(frozen=True)
class Repository:
    """A place with this machine's backups; read-only for the copy in the paired region."""

    region: str
    url: str
    read_only: bool


@dataclass(frozen=True)
class Identity:
    """A registered machine. `answer` is what the portal said, in full."""

    answer: dict[str, object]
    private_key: str
    edge_url: str

    def __post_init__(self) -> None:
        """Refuse an answer that lacks something, or a certificate for another key."""
        try:
            fits = keys.belongs_to(keys.load_chain(self.certificate)[0], self.private_key)
            complete = bool(self.machine_id and self.name and self.vault and self.repositories)
            _ = (self.renew_after, keys.load_chain(self.ca_certificates))
        except (KeyError, TypeError, ValueError) as error:
            raise _not_understood(f"{type(error).__name__}: {error}") from error
        if not fits or not complete:
            raise _not_understood("the certificate is for another key, or something is missing")

    @property
    def machine_id(self) -> str:
        return _text(self.answer["machine"], "id")

    @property
    def name(self) -> str:
        return _text(self.answer["machine"], "name")

    @property
    def vault(self) -> dict[str, str]:
        """Id, name, subscription and region of the vault."""
        vault = self.answer["vault"]
        return {field: _text(vault, field) for field in ("id", "name", "subscription", "region")}

    @property
    def certificate(self) -> str:
        return _text(self.answer, "certificate")

    @property
    def ca_certificates(self) -> str:
        return _text(self.answer, "ca_certificates")

    @property
    def renew_after(self) -> datetime:
        """From when on the certificate is to be renewed."""
        return times.parse(_text(self.answer, "renew_after"))

    @property
    def expires_at(self) -> datetime:
        """When storage stops accepting the certificate."""
        return keys.load_chain(self.certificate)[0].not_valid_after_utc

    @property
    def repositories(self) -> list[Repository]:
        """Where the backups are, the writable one first."""
        listed = self.answer["repositories"]
        if not isinstance(listed, list):
            raise TypeError("repositories is not a list")
        found = [Repository(_text(each, "region"), _text(each, "url"), bool(each["read_only"])) for each in listed]
        if any(not each.url.startswith("https://") for each in found):
            raise ValueError("a repository is not https")
        return sorted(found, key=lambda each: each.read_only)

    @property
    def signer(self) -> Signer:
        """Signs everything that this machine says to the portal."""
        return Signer(self.private_key, self.certificate)


def load(home: Home) -> Identity | None:
    """The identity on this machine; None before setup."""
    stored = home.read_object(_FILE)
    if stored is None:
        return None
    try:
        answer = stored["answer"]
        if not isinstance(answer, dict):
            raise TypeError("the answer of the portal is not an object")
        return Identity(answer, _text(stored, "private_key"), _text(stored, "edge_url"))
    except (AgentError, KeyError, TypeError, ValueError) as error:
        raise home.damaged(_FILE, f"it lacks something ({type(error).__name__})") from error


def save(home: Home, identity: Identity) -> None:
    """Replace the stored identity in one step."""
    home.write_object(
        _FILE,
        {
            "answer": identity.answer,
            "private_key": identity.private_key,
            "edge_url": identity.edge_url,
        },
    )


def write_for_restic(home: Home, identity: Identity) -> tuple[str, str]:
    """Write the client's PEM (chain and key) and the roots; their paths, in this order."""
    client = identity.certificate.rstrip() + "\n" + identity.private_key
    for name, text in ((_CLIENT_PEM, client), (_CA_PEM, identity.ca_certificates)):
        home.ensure_text(name, text)
    return str(home.path(_CLIENT_PEM)), str(home.path(_CA_PEM))


def forget(home: Home) -> None:
    """Delete identity and key from this machine. What is stored in the vault is not touched."""
    for name in (_CLIENT_PEM, _CA_PEM, _FILE):
        home.remove(name)


def _text(value: object, field: str) -> str:
    found = value[field] if isinstance(value, dict) else None
    if not isinstance(found, str) or not found:
        raise ValueError(f"{field} is missing")
    return found


def _not_understood(why: str) -> AgentError:
    return AgentError(
        "answer_not_understood",
        f"The portal's answer about this machine cannot be used ({why}).",
        "Get the current agent from the portal's Agents page and try again.",
    )
