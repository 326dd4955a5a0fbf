"""Who signed a message: a vault credential or a machine, by a certificate that is ours *and* a row that is there.

A stolen CA key makes certificates but no rows, so it registers and renews nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from agents.models import Machine, MachineCertificate
from agents.protocol import errors, refusal_log, spent_tokens
from agents.protocol.spent_tokens import CLOCK_TOLERANCE
from portal.core.actor import Actor, Via
from portal.core.errors import DomainError
from portal.core.prepared import prepared
from portal.pki import authorities, jws
from portal.pki.crypto import certificates
from portal.pki.crypto.certificates import Certificate, Kind, Profile
from portal.pki.crypto.errors import Unacceptable
from vaults.models import Credential

Refuse: TypeAlias = Callable[[str], DomainError]


@dataclass(frozen=True)
class Signed:
    """A message with a fitting signature by a certificate of ours. Whether that still counts is not checked."""

    fields: dict[str, object]
    certificate: Certificate
    profile: Profile
    jti: str
    iat: datetime


@dataclass(frozen=True)
class Sender:
    """A machine that sent a message, the row of the certificate that it used, and the machine as an actor."""

    signed: Signed
    certificate: MachineCertificate
    machine: Machine
    actor: Actor


def read(body: bytes, *, what: str, at: datetime, refuse: Refuse) -> Signed:
    """The message for the endpoint `what`; raises `refuse(why)` when it is not one of ours.

    The chain is checked as of a moment when its leaf was valid: an expired certificate may still renew, and whether
    this one may is for the caller to say.
    """
    try:
        message = jws.read(body)
        leaf = message.unverified_chain[0]
        moment = max(min(at, leaf.not_valid_after_utc), leaf.not_valid_before_utc)
        authorities.require_client_chain(message.unverified_chain, at=moment)
        profile = certificates.profile_of(leaf)
    except (jws.Malformed, Unacceptable) as error:
        raise refuse(str(error)) from error
    fields = dict(message.payload)
    if fields.pop("aud", None) != url_of(what):
        raise refuse("It was signed for another address.")
    return Signed(fields, leaf, profile, _jti(fields.pop("jti", None), refuse), _iat(fields.pop("iat", None), refuse))


def url_of(what: str) -> str:
    """The full address of an endpoint for machines, which is what messages to it are signed for."""
    return f"{settings.EDGE_URL}/api/v1/agent/{what}"


def credential_of(signed: Signed) -> Credential:
    """The credential that signed, with its vault; raises CredentialRefused when there is no such row."""
    if signed.profile.kind is Kind.CREDENTIAL:
        found = (
            Credential.objects.select_related("vault__subscription", "vault__region", "issued_by")
            .filter(pk=signed.profile.id, fingerprint=certificates.fingerprint(signed.certificate))
            .first()
        )
        if found is not None:
            return found
    raise errors.invalid("They were not issued by this portal.")


def sender_of(body: bytes, *, what: str, address: str, at: datetime) -> Sender:
    """The machine that signed `body`, by a fresh message; what it is entitled to is not checked.

    Raises NotAllowed and ClockSkew.
    """
    try:
        signed = read(body, what=what, at=at, refuse=errors.not_entitled)
        certificate = _machine_certificate_of(signed)
    except DomainError as refused:
        refusal_log.note_stranger(what, refused, address=address)
        raise
    require_clock(signed, at)
    machine = certificate.machine
    return Sender(signed, certificate, machine, Actor(label=f"machine {machine}", via=Via.AGENT, address=address))


def require_clock(signed: Signed, at: datetime) -> None:
    """Raise ClockSkew for a message that is older, or from further in the future, than we tolerate."""
    skew = signed.iat - at
    if abs(skew) > CLOCK_TOLERANCE:
        raise errors.clock_skew(skew)


def spend(signed: Signed, *, at: datetime, refuse: Refuse) -> None:
    """Mark the message as used, in the caller's transaction; raises `refuse(why)` when it has been used before."""
    if not spent_tokens.spend(signed.jti, at=at):
        raise refuse("This message has been used before.")


def _machine_certificate_of(signed: Signed) -> MachineCertificate:
    if signed.profile.kind is Kind.MACHINE:
        found = _machine_certificate.first(signed.profile.id, certificates.fingerprint(signed.certificate))
        if found is not None:
            return found
    raise errors.not_entitled("This is not the certificate of a machine that is registered here.")


@prepared
def _machine_certificate(machine_id: UUID, fingerprint: str) -> QuerySet[MachineCertificate]:
    rows = MachineCertificate.objects.select_related("machine__vault__subscription", "machine__vault__region")
    return rows.filter(machine_id=machine_id, fingerprint=fingerprint)


def _jti(value: object, refuse: Refuse) -> str:
    try:
        if isinstance(value, str) and str(UUID(value)) == value:
            return value
    except ValueError as error:
        raise refuse("Its jti is not a UUID.") from error
    raise refuse("Its jti is not a UUID.")


def _iat(value: object, refuse: Refuse) -> datetime:
    # Beyond the year 9999 there is no datetime; a clock that is off that far is told so by the number before it.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 253402300799:
        raise refuse("Its iat is not a number of seconds.")
    return datetime.fromtimestamp(value, UTC)
