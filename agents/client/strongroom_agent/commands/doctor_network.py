"""What `doctor` looks at on the way to the portal and its storage; each step within a few seconds, asked once."""

import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import httpx

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.portal import clock as clocks
from strongroom_agent.portal.client import Portal, describe, trust_only, unreachable
from strongroom_agent.portal.storage import Storage, missing

from .doctor_machine import Patient

_STEP = 2.5  # seconds at most for one step


def resolution(patient: Patient) -> str:
    """The name of the portal, or of the proxy, has an address. The system's own look-up has no limit: it is left to
    itself when it takes too long."""
    host, port = _first_hop(patient)
    found: list[Any] = []
    trouble: list[OSError] = []

    def look() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            trouble.append(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(_seconds(patient))
    if found:
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        return f"{host} is {', '.join(addresses[:4])}."
    why = (trouble[0].strerror or "no address") if trouble else "the name server does not answer"
    raise AgentError(
        "network",
        f"The name {host} cannot be resolved: {why}.",
        "Check this machine's name servers (DNS), and its search domains.",
    )


def connection(patient: Patient) -> str:
    """Something answers there."""
    host, port = _first_hop(patient)
    try:
        with socket.create_connection((host, port), timeout=_seconds(patient)):
            return f"{host} port {port} answers{' (the proxy)' if patient.session.proxy else ''}."
    except OSError as error:
        why = "nothing answers in time" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        raise AgentError(
            "network",
            f"{host} port {port} cannot be reached: {why}.",
            f"Check the network and whether a firewall lets this machine out to {host}, port {port}.",
        ) from error


def clock(patient: Patient) -> str:
    """This machine's clock, against the portal's."""
    current = patient.session.identity
    timeout = _timeout(patient)
    there = clocks.of_portal(current.edge_url, current.ca_certificates, patient.session.proxy, timeout)
    if there is None:
        return "the portal's could not be asked; the next step says why."
    if error := clocks.skewed(times.now(), there):
        raise error
    return f"{abs((times.now() - there).total_seconds()):.0f} s from the portal's."


def encryption(patient: Patient) -> str:
    """TLS to the edge, through the proxy if there is one, with a certificate that this machine trusts."""
    session = patient.session
    url = session.identity.edge_url
    try:
        trust = trust_only(session.identity.ca_certificates)
        with httpx.Client(verify=trust, proxy=session.proxy, timeout=_timeout(patient), trust_env=False) as client:
            client.head(f"{url}/api/v1/agent/heartbeat")
    except httpx.TransportError as error:
        raise unreachable(url, describe(error), session.proxy) from error
    through = f" through the proxy {session.settings.proxy}" if session.settings.proxy else ""
    return f"{urlsplit(url).netloc} is the portal that this machine knows{through}."


def portal(patient: Patient) -> str:
    """What the portal says to this machine."""
    session = patient.session
    asked = Portal(session.identity.edge_url, session.identity.ca_certificates, session.proxy)
    answer = asked.post("heartbeat", session.identity.signer, session.life, attempts=1, timeout=_timeout(patient))
    damaged = (
        " It knows of damaged backups of this machine: run strongroom-agent check."
        if answer.body.get("damaged")
        else ""
    )
    return f"it says {answer.body.get('state')}.{damaged}"


def storage(patient: Patient) -> str:
    """The repository can be read with this machine's certificate."""
    session = patient.session
    kept = session.storage
    quick = Storage(kept.client_pem, session.identity.ca_certificates, session.proxy, 1, _timeout(patient))
    if not quick.exists(session.primary):
        raise missing(session.primary)
    return f"the backups of this machine in {session.primary.region} can be reached."


def _first_hop(patient: Patient) -> tuple[str, int]:
    """What this machine connects to itself: the portal, or the proxy."""
    session = patient.session
    parts = urlsplit(session.settings.proxy or session.identity.edge_url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _seconds(patient: Patient) -> float:
    return max(0.1, min(_STEP, patient.left()))


def _timeout(patient: Patient) -> httpx.Timeout:
    return httpx.Timeout(_seconds(patient))
