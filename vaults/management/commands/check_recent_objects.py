"""`manage.py check_recent_objects`: after an unclean stop, before a region's gateway accepts requests again."""

import time
from argparse import ArgumentParser
from datetime import datetime

from django.core.management.base import CommandError

from portal.core.commands import PortalCommand
from portal.templatetags.amounts import plural
from vaults.integrity import verify
from vaults.models import Region
from vaults.regions.storage.base import StorageError, StorageUnavailable
from vaults.regions.storage.rclone import region_storage

WAIT = 30.0  # seconds for the storage process to come up


class Command(PortalCommand):
    """Only while no gateway of the region runs: an upload under way would be taken for half an object."""

    help = "Compares a region's recent objects with their names, and sets aside those that differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--region`, and one of `--since` and `--all`."""
        parser.add_argument("--region", required=True, help="slug of the region")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--since", type=datetime.fromisoformat, help="ISO 8601 time with a zone: changed since then")
        which.add_argument("--all", action="store_true", help="all objects of the region")

    def handle(self, *args: object, region: str, since: datetime | None, **options: object) -> None:
        """Compare; CommandError with one clear line when the storage does not answer."""
        if since is not None and since.tzinfo is None:
            raise CommandError("--since needs a time zone, such as 2026-11-22T10:00:00+00:00.")
        found = Region.objects.filter(slug=region).first()
        if found is None:
            raise CommandError(f"There is no region {region}.")
        try:
            _wait_for(found)
            compared, set_aside = verify.check_region(found, since=since)
        except StorageError as error:
            raise CommandError(str(error)) from error
        what = f"{plural(compared, 'object')} with {'its name' if compared == 1 else 'their names'}"
        self.stdout.write(f"{found}: compared {what}, set aside {set_aside}.")


def _wait_for(region: Region) -> None:
    """Until the storage process answers; raises StorageUnavailable when it does not within WAIT."""
    ends = time.monotonic() + WAIT
    while True:
        try:
            region_storage(region).entries("")
            return
        except StorageUnavailable:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
