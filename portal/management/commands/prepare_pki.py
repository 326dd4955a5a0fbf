"""`manage.py prepare_pki`: make or renew what the edge needs before it starts."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from portal import edge_files
from portal.crypto import certificates


class Command(BaseCommand):
    """Writes root.pem, client-ca.pem, edge.pem and edge.key into $STRONGROOM_DATA/pki."""

    help = "Make the CAs at the first run, and the edge's certificate when it is missing, old, or for another host."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what the certificate is."""
        prepared = edge_files.prepare(Path(settings.PKI), settings.EDGE_URL, timezone.now())
        leaf = prepared.certificate
        self.stdout.write(
            f"Edge certificate {'made' if prepared.renewed else 'kept'}: {certificates.fingerprint(leaf)}, "
            f"good until {leaf.not_valid_after_utc:%Y-%m-%d}."
        )
