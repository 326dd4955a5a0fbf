"""`manage.py sync_regions`: brings the database and rclone's configuration in line with the regions file."""

from django.conf import settings
from django.core.management.base import CommandError

from portal.core.actor import Actor, Via
from portal.core.commands import PortalCommand
from vaults.regions import catalog, object_lock
from vaults.regions.config_file import BadRegionsFile


class Command(PortalCommand):
    """Run it after each change of the regions file, before the gateways start."""

    help = "Writes the default regions file when there is none, checks it, and applies it."

    def handle(self, *args: object, **options: object) -> None:
        """Apply the file; CommandError with one clear line when it is wrong."""
        try:
            changed = catalog.changed()
            away = object_lock.require(catalog.places().values()) if settings.REGIONS_FILE.exists() else []
            found = catalog.sync(Actor(label="sync_regions", via=Via.COMMAND))
        except BadRegionsFile as error:
            raise CommandError(str(error)) from error
        for trouble in away:
            self.stderr.write(f"{trouble} Whether its object lock holds could not be tried: it is at the next start.")
        self.stdout.write(f"Regions: {', '.join(str(region) for region in found)}.")
        if changed:
            gateways = " ".join(f"front:gateway-{slug}" for slug in changed)
            self.stdout.write(
                f"Otherwise than before: {', '.join(changed)}. Gateways and storage that run go on with what they"
                f" read at their start: restart {gateways} back:storage (docs/storage-integrity.md shows how), or all."
            )
