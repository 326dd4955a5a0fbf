"""The *identity* of a machine, as docs/protocol.md has it: what it gets for registering and renewing."""

from django.conf import settings

from agents.models import Machine, MachineCertificate
from agents.protocol import certificates
from portal.core.times import rfc3339
from portal.pki import authorities
from vaults.models import PairedCopy, Redundancy, Vault


def identity_of(machine: Machine, certificate: MachineCertificate, vault: Vault) -> dict[str, object]:
    """Who the machine is, its certificate, whom to trust, and where its backups go; one query.

    `vault` comes with its region and subscription.
    """
    return {
        "machine": {
            "id": str(machine.pk),
            "name": machine.name,
            "vault_id": str(vault.pk),
            "state": machine.state,
        },
        "vault": {
            "id": str(vault.pk),
            "name": vault.name,
            "subscription": vault.subscription.name,
            "region": vault.region.name,
        },
        "certificate": certificate.certificate,
        "ca_certificates": authorities.roots_pem(),
        "renew_after": rfc3339(certificates.renew_after(certificate)),
        "repositories": _repositories(machine, vault),
    }


def _repositories(machine: Machine, vault: Vault) -> list[dict[str, object]]:
    """The machine's own folder, and for geo-redundant vaults the copy of it, to be read."""
    places = [(vault.region, False)]
    if vault.redundancy == Redundancy.GEO:
        copies = PairedCopy.objects.filter(vault=vault).select_related("region")
        places += [(copy.region, True) for copy in copies]
    return [
        {
            "region": region.name,
            "url": f"{settings.EDGE_URL}/{region.slug}/{vault.pk}/{machine.pk}/",
            "read_only": read_only,
        }
        for region, read_only in places
    ]
