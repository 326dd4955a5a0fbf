"""The vault credential file: read, and checked offline before anything is sent.

The checks come in this order, so that the first thing found is the thing to tell: readable, well
formed, signature, certificate chain, key present, key fits, not expired. The signature shows damage
and edits; it does not show who made the file, since the signing key comes with it. A file forged as a
whole registers nowhere.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from strongroom_agent.core import times

from . import clock, keys
from .credential_errors import expired, invalid, not_yet, without_key
from .credential_file import TEXT_FIELDS, read_object
from .jws import Signer


@dataclass(frozen=True)
class Credential:
    """A credential file that has passed every check that needs no network."""

    vault: dict[str, str]
    purpose: str
    portal_url: str
    edge_url: str
    ca_certificates: str
    certificate: str
    private_key: str
    expires_at: datetime
    # Id and name of the machine whose place it is for; empty when it registers new ones.
    machine: dict[str, str] = field(default_factory=dict)

    @property
    def replaces(self) -> bool:
        """Whether it puts this computer into the place of a machine that exists."""
        return self.purpose == "replace"

    @property
    def signer(self) -> Signer:
        """Signs registrations."""
        return Signer(self.private_key, self.certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the credential's certificate in hex: tells one credential from another."""
        return keys.load_chain(self.certificate)[0].fingerprint(hashes.SHA256()).hex()


def load(
    path: Path,
    now: datetime,
    sent_before: Callable[[Credential], bool] = lambda _: False,
    time_of_portal: Callable[[Credential], datetime | None] = lambda _: None,
) -> Credential:
    """Read and check a credential file. AgentError with one of the contract's codes if it is not good.

    One that was `sent_before` may have expired: the portal still gives the answer that was lost. By our own clock
    nothing has expired before the portal was asked for the time: no new file would mend a clock that is fast.
    """
    fields = read_object(path)
    _check_signature(fields)
    issued_at, expires_at = _times(fields)
    leaf = _check_chain(fields, issued_at)
    if not str(fields.get("private_key") or "").strip():
        raise without_key(path)
    _check_key(fields, leaf)
    if issued_at - now > clock.TOLERANCE:
        raise not_yet(issued_at, now)
    found = _credential(fields, expires_at)
    if now >= expires_at and not sent_before(found):
        _check_age(expires_at, now, time_of_portal(found))
    return found


def _check_age(expires_at: datetime, here: datetime, there: datetime | None) -> None:
    """`here` and `there` are the times of this machine and of the portal, which does not always answer."""
    if there is not None and (skew := clock.skewed(here, there)):
        raise skew
    if there is None or there >= expires_at:
        raise expired(expires_at, here)


def canonical(fields: dict[str, object]) -> bytes:
    """What the portal signs: RFC 8785 of everything but the signature and the private key."""
    signed = {name: fields[name] for name in fields if name not in ("signature", "private_key")}
    return json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check_signature(fields: dict[str, object]) -> None:
    try:
        signature = base64.b64decode(str(fields["signature"]), validate=True)
        key = keys.load_public(str(fields["agent_signing_key"]))
        key.verify(signature, canonical(fields), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise invalid("Its signature does not fit its content: it was edited or damaged") from None
    except ValueError as error:
        raise invalid(f"Its signature cannot be checked ({error})") from error


def _times(fields: dict[str, object]) -> tuple[datetime, datetime]:
    try:
        return times.parse(str(fields["issued_at"])), times.parse(str(fields["expires_at"]))
    except ValueError as error:
        raise invalid(f"Its times cannot be read ({error})") from error


def _check_chain(fields: dict[str, object], at: datetime) -> x509.Certificate:
    """Verified as of the time of issue: whether it has expired since is a question of its own."""
    try:
        chain = keys.load_chain(str(fields["certificate"]))
        roots = verification.Store(keys.load_chain(str(fields["ca_certificates"])))
        verifier = verification.PolicyBuilder().store(roots).time(at).build_client_verifier()
        verifier.verify(chain[0], chain[1:])
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, verification.VerificationError) as error:
        raise invalid("Its certificate does not come from the portal that it names") from error
    return chain[0]


def _check_key(fields: dict[str, object], leaf: x509.Certificate) -> None:
    try:
        fits = keys.belongs_to(leaf, str(fields["private_key"]))
    except ValueError as error:
        raise invalid(f"Its private key is damaged ({_first_line(error)})") from error
    if not fits:
        raise invalid("Its private key does not belong to its certificate")


def _credential(fields: dict[str, object], expires_at: datetime) -> Credential:
    text = {name: str(fields[name]) for name in TEXT_FIELDS}
    if not text["edge_url"].startswith("https://"):
        raise invalid("It names an address for machines that is not https")
    return Credential(
        vault=_texts(fields["vault"]),
        purpose=text["purpose"],
        portal_url=text["portal_url"],
        edge_url=text["edge_url"].rstrip("/"),
        ca_certificates=text["ca_certificates"],
        certificate=text["certificate"],
        private_key=_normal_key(str(fields["private_key"])),
        expires_at=expires_at,
        machine=_texts(fields["machine"]) if text["purpose"] == "replace" else {},
    )


def _texts(value: object) -> dict[str, str]:
    assert isinstance(value, dict)  # noqa: S101 - read_object has made sure of it
    return {str(name): str(each) for name, each in value.items()}


def _normal_key(pem: str) -> str:
    """One spelling of the key, whatever spaces an editor has left around it."""
    return (
        keys.load_private(pem)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
