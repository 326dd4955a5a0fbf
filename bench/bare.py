"""The yardstick: what Django itself costs. Served by the same command, on the same database, as our pages."""

from datetime import timedelta
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone

from portal.http import PersonRequest
from vaults.models import Vault

ISSUER_KEY = ec.generate_private_key(ec.SECP256R1())


def table(request: HttpRequest) -> HttpResponse:
    """Session, person, one query, fifty rows of seven columns, a template of nothing but the table."""
    rows = Vault.objects.select_related("region", "subscription").order_by("name", "id")[:50]
    return render(request, "bench/table.html", {"rows": rows})


def vault(request: HttpRequest, vault_id: UUID) -> HttpResponse:
    """Where the names in the table lead."""
    return HttpResponse(status=204)


def post(request: PersonRequest) -> HttpResponse:
    """An authenticated POST with its CSRF check, which makes a P-256 key and a certificate and stores nothing."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, request.user.username)])
    now = timezone.now()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=2))
        .sign(ISSUER_KEY, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return HttpResponse(certificate + secret, content_type="application/x-pem-file")


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
