"""`manage.py prepare_pki`: make or renew what the edge needs before it starts."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser

from portal.core.actor import Actor, Via
from portal.core.commands import PortalCommand
from portal.edge import files
from portal.pki import authorities, ownership
from portal.pki.crypto import certificates


class Command(PortalCommand):
    """Writes root.pem, client-ca.pem, edge.pem and edge.key into $STRONGROOM_DATA/pki."""

    help = "Make the CAs at the first run, and the edge's certificate when it is missing, old, or for another host."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--another-root`, for when the root that the database belongs to is lost."""
        parser.add_argument("--another-root", action="store_true", help="the root that the database knows is lost")

    def handle(self, *args: Any, another_root: bool = False, **options: Any) -> None:
        """Do it, and say what the certificate is; CommandError when the keys cannot be opened, or are another's."""
        actor = Actor(label="prepare_pki", via=Via.COMMAND)
        try:
            if another_root:
                ownership.start_anew(actor)
            ownership.require()
            prepared = files.bring_up_to_date(actor)
            ownership.begin(authorities.load_keyring())
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        leaf = prepared.certificate
        self.stdout.write(
            f"Edge certificate {'made' if prepared.renewed else 'kept'}: {certificates.fingerprint(leaf)}, "
            f"good until {leaf.not_valid_after_utc:%Y-%m-%d}."
        )
