"""Certificates of machines: read from a request, issued, and taken away."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef

from agents.models import Machine, MachineCertificate
from portal.core.errors import Invalid
from portal.pki import authorities
from portal.pki.crypto import certificates, issuing, keys
from portal.pki.crypto.certificates import Kind, Profile
from portal.pki.crypto.errors import Unacceptable
from portal.pki.crypto.keys import PublicKey

LIFE = timedelta(days=7)
RENEW_FROM = timedelta(days=1)
"""Since its issue: a certificate that is renewed daily has six days left when any run begins."""


def requested_key(csr: str) -> PublicKey:
    """The P-256 key that the request proves to hold; whatever else it says is ignored. Raises Invalid."""
    try:
        return keys.read_request(csr)
    except Unacceptable as error:
        raise Invalid({"csr": [str(error)]}) from error


def certify(machine: Machine, key: PublicKey, *, at: datetime) -> MachineCertificate:
    """Issue the machine a certificate for `key` and store its row, in the transaction that is open."""
    profile = Profile(Kind.MACHINE, uuid.UUID(str(machine.pk)))
    leaf = issuing.issue_client(
        authorities.client_authority(), key, profile, at=at, until=(at + LIFE).replace(microsecond=0)
    )
    return MachineCertificate.objects.create(
        machine=machine,
        serial=certificates.serial(leaf),
        fingerprint=certificates.fingerprint(leaf),
        key_digest=keys.digest(key),
        certificate=authorities.client_chain_pem(
            leaf
        ),  # with its issuer, which may be another one by the time it is asked for
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def renew_after(certificate: MachineCertificate) -> datetime:
    """From when on the machine is to renew it."""
    return certificate.not_after - LIFE + RENEW_FROM


def forget_old(at: datetime, limit: int) -> int:
    """Delete certificates that ended so long ago that nobody can renew with them, but for the last one of a machine.

    With such a row nothing is decided any more: to renew with it is refused before anybody asks for a second holder.
    At most `limit`; their number.
    """
    ended = at - timedelta(days=settings.RENEWABLE_DAYS) - LIFE
    newer = MachineCertificate.objects.filter(machine=OuterRef("machine"), pk__gt=OuterRef("pk"))
    old = MachineCertificate.objects.filter(Exists(newer), not_after__lt=ended).order_by("not_after")
    return MachineCertificate.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()[0]


def revoke_all(machine: Machine, *, at: datetime) -> None:
    """Make all certificates of the machine useless, at once."""
    machine.certificates.filter(revoked_at__isnull=True).update(revoked_at=at)
