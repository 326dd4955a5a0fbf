"""The machine's certificate: a new one from the second day on, for a new key each time."""

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import progress
from strongroom_agent.state import identity
from strongroom_agent.state.home import Home
from strongroom_agent.state.identity import Identity

from . import keys
from .client import Portal

# The key of a renewal that was asked for and not yet answered: asking again with it is harmless.
_PENDING = "renewal-key.pem"


def renew_if_due(home: Home, current: Identity, portal: Portal) -> Identity:
    """Renew when the portal's time for it has come, or an answer was lost. The identity to go on with.

    A portal that cannot be reached is no reason to skip a backup while the certificate is good.
    """
    now = times.now()
    if now < current.renew_after and _waiting_key(home, current) is None:
        return current
    try:
        return renew(home, current, portal)
    except AgentError as error:
        if error.code in ("network", "unavailable", "throttled") and now < current.expires_at:
            progress(f"note: the certificate was not renewed. {error.message}")
            return current
        raise


def renew(home: Home, current: Identity, portal: Portal) -> Identity:
    """Ask for a certificate for a new key, and replace certificate and key in one step.

    The new key is on disk before it is sent, so a lost answer is made good by asking again.
    """
    new_key = _waiting_key(home, current)
    if new_key is None:
        new_key = keys.generate()
        home.write_text(_PENDING, new_key)
    request = keys.certificate_request(new_key)
    answer = portal.post("renew", current.signer, {"csr": request})
    renewed = Identity(answer.body, new_key, current.edge_url)
    identity.save(home, renewed)
    home.remove(_PENDING)
    return renewed


def _waiting_key(home: Home, current: Identity) -> str | None:
    """The key that was sent with no answer; None when there is none that can still be used."""
    try:
        key = home.read_text(_PENDING)
        used = key is not None and keys.belongs_to(keys.load_chain(current.certificate)[0], key)
    except (AgentError, ValueError):
        progress("note: the key that waits for its certificate is damaged; another one takes its place.")
        return None
    return None if used else key


def forget(home: Home) -> None:
    """Drop a key that waits for its certificate."""
    home.remove(_PENDING)
