"""Registering this machine, so that a lost answer can be asked for again."""

import platform

from strongroom_agent import __version__
from strongroom_agent.core.errors import AgentError
from strongroom_agent.state import identity
from strongroom_agent.state.home import Home
from strongroom_agent.state.identity import Identity

from . import keys
from .client import Portal
from .credential import Credential

_FILE = "registration.json"


def current(home: Home, credential: Credential, name: str) -> Identity | None:
    """The identity to go on with when setup is repeated; None when this machine is to be registered.

    With a replacement credential that was not used here yet, the machine of that identity is to be registered as well.
    AgentError `already_registered` when this is registered as something else.
    """
    found = identity.load(home)
    if found is None:
        return None
    if not _same(found, credential, name):
        raise registered_elsewhere(found)
    attempt = home.read_object(_FILE) or {}
    if credential.replaces and attempt.get("credential") != credential.fingerprint:
        return None
    return found


def registered_elsewhere(found: Identity) -> AgentError:
    """This machine is another one already, or in another vault."""
    return AgentError(
        "already_registered",
        f"This machine is registered as {found.name} in vault {found.vault['name']}.",
        "Run strongroom-agent unregister first, or set STRONGROOM_AGENT_HOME to another folder.",
    )


def _same(found: Identity, credential: Credential, name: str) -> bool:
    if credential.replaces:
        return found.machine_id == credential.machine["id"]
    return found.vault["id"] == credential.vault["id"] and found.name.casefold() == name.casefold()


def register(home: Home, credential: Credential, name: str, proxy: str | None) -> Identity:
    """Register with the portal and store the identity.

    The key is on disk before it is sent: repeated with the same credential, name and key, the portal
    gives the same machine instead of taking another place of the credential.
    """
    private_key = _key_of_attempt(home, credential, name)
    portal = Portal(credential.edge_url, credential.ca_certificates, proxy)
    answer = portal.post(
        "register",
        credential.signer,
        {
            "name": name,
            "csr": keys.certificate_request(private_key),
            "platform": _platform(),
            "agent_version": __version__,
        },
    )
    registered = Identity(answer.body, private_key, credential.edge_url)
    identity.save(home, registered)
    return registered


def begun(home: Home) -> bool:
    """Whether a registration was begun here, answered or not."""
    return home.path(_FILE).exists()


def begun_with(home: Home, credential: Credential) -> bool:
    """Whether this credential was sent from here, answered or not."""
    return (home.read_object(_FILE) or {}).get("credential") == credential.fingerprint


def forget(home: Home) -> None:
    """Drop the key of the registration."""
    home.remove(_FILE)


def _platform() -> dict[str, object]:
    """What the portal shows of this machine; it takes 64 characters for each."""
    facts = {"os": platform.system(), "arch": platform.machine(), "release": platform.release()}
    return {name: value[:64] for name, value in facts.items()}


def _key_of_attempt(home: Home, credential: Credential, name: str) -> str:
    attempt = home.read_object(_FILE)
    this: dict[str, object] = {"credential": credential.fingerprint, "name": name}
    if attempt is not None and {k: attempt.get(k) for k in this} == this:
        return str(attempt["private_key"])
    private_key = keys.generate()
    home.write_object(_FILE, {**this, "private_key": private_key})
    return private_key
