"""The yardstick: what Django itself costs. Served by the same command, on the same database, as our pages."""

import secrets
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.audit.targets import Target
from portal.core.actor import Actor, Via
from portal.core.http import PersonRequest
from vaults.models import Credential, Vault
from vaults.states import VaultState

ISSUER_KEY = ec.generate_private_key(ec.SECP256R1())
LIFE = timedelta(days=2)


def table(request: HttpRequest) -> HttpResponse:
    """Session, person, one query in the order of an index, fifty rows of seven columns, a template of the table."""
    rows = Vault.objects.select_related("region", "subscription").order_by("name_key", "id")[:50]
    return render(request, "bench/table.html", {"rows": rows})


def vault(request: HttpRequest, vault_id: UUID) -> HttpResponse:
    """Where the names in the table lead."""
    return HttpResponse(status=204)


def post(request: PersonRequest) -> HttpResponse:
    """What issuing cannot do without, and nothing else: an authenticated POST with its CSRF check, a P-256 key, a
    certificate and a signature; the vault fetched with the check of access and the names that a file holds; in one
    transaction its row locked, the credential before ended, the new one stored and an audit entry written."""
    vault = Vault.objects.select_related("subscription", "region").get(
        pk=_vault_of(request.user.pk), subscription__memberships__user=request.user
    )
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, request.user.username)])
    now = timezone.now()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + LIFE)
        .sign(ISSUER_KEY, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signature = ISSUER_KEY.sign(certificate, ec.ECDSA(hashes.SHA256()))
    with transaction.atomic():
        _store(request, Vault.objects.select_for_update(no_key=True).get(pk=vault.pk), certificate, now)
    return HttpResponse(certificate + secret + signature.hex().encode(), content_type="application/x-pem-file")


@cache
def _vault_of(person_id: int) -> UUID:
    """An Active vault of a subscription that the person belongs to, the same each time."""
    theirs = Vault.objects.filter(state=VaultState.ACTIVE, subscription__memberships__user=person_id)
    return theirs.order_by("id").values_list("pk", flat=True)[0]


def _store(request: PersonRequest, vault: Vault, certificate: bytes, now: datetime) -> None:
    vault.credentials.filter(ended_at=None).update(ended_at=now, end=Credential.End.REPLACED)
    credential = Credential.objects.create(
        vault=vault,
        serial=secrets.token_hex(16),
        fingerprint=secrets.token_hex(32),
        certificate=certificate.decode(),
        key_origin=Credential.KeyOrigin.SERVER,
        issued_by=request.user,
        issued_at=now,
        expires_at=now + LIFE,
    )
    AuditEvent.of(
        "bench:issue",
        at=now,
        actor=Actor(user=request.user, label=request.user.username, via=Via.PAGE),
        target=Target.of(credential),
        detail={"serial": credential.serial},
        refused=False,
    ).save()


@login_not_required
def nothing(request: HttpRequest) -> HttpResponse:
    """An empty answer, without a session."""
    return HttpResponse(status=204)


urlpatterns = [
    path("table/", table),
    path("vault/<uuid:vault_id>/", vault, name="vault"),
    path("post/", post),
    path("nothing/", nothing),
]
