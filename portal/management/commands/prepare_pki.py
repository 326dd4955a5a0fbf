"""`manage.py prepare_pki`: make or renew what the edge needs before it starts."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from portal import edge_files
from portal.accounts.actors import Actor
from portal.crypto import certificates


class Command(BaseCommand):
    """Writes root.pem, client-ca.pem, edge.pem and edge.key into $STRONGROOM_DATA/pki."""

    help = "Make the CAs at the first run, and the edge's certificate when it is missing, old, or for another host."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what the certificate is; CommandError when the keys cannot be opened."""
        try:
            prepared = edge_files.bring_up_to_date(Actor(label="prepare_pki", via="command"))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        leaf = prepared.certificate
        self.stdout.write(
            f"Edge certificate {'made' if prepared.renewed else 'kept'}: {certificates.fingerprint(leaf)}, "
            f"good until {leaf.not_valid_after_utc:%Y-%m-%d}."
        )
