"""`manage.py publish_release FOLDER`: publishes a release that was signed on another computer."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from agents.packages.releases import publish
from portal.core.actor import Actor, Via
from portal.core.commands import PortalCommand
from portal.core.errors import Invalid
from portal.core.times import for_people

ACTOR = Actor(label="publish_release", via=Via.COMMAND)


class Command(PortalCommand):
    """No machine takes it until an administrator says who does."""

    requires_system_checks: tuple[str, ...] = ()
    help = "Publishes a release of the agent that was signed with python -m deploy.update_key, or its renewed manifest."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where it lies."""
        parser.add_argument("folder", type=Path, help="the folder with release.json and its files")

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish it and say what comes next; exit status 1 with one line when it cannot be."""
        try:
            release, new = publish(options["folder"], actor=ACTOR)
        except Invalid as error:
            reasons = " ".join(each for messages in error.errors.values() for each in messages)
            raise CommandError(f"The release cannot be published: {reasons}") from error
        except OSError as error:
            raise CommandError(f"The release cannot be published: {error}.") from error
        until = for_people(release.expires_at)
        if new:
            self.stdout.write(
                f"Release {release} is published and counts until {until}. No machine takes it yet: an administrator"
                " chooses who does at /agents/updates/."
            )
        else:
            self.stdout.write(f"Release {release} was renewed and counts until {until}.")
