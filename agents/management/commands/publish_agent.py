"""`manage.py publish_agent`: builds the agent for Linux when its sources have changed, and publishes it; with --built
it publishes what `python -m deploy.agents` has built."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from agents.packages.build import BuildFailed, Withdrawn, bring_up_to_date
from agents.packages.built import NotBuilt, publish_all
from portal.core.actor import Actor, Via
from portal.core.commands import PortalCommand

ACTOR = Actor(label="publish_agent", via=Via.COMMAND)


class Command(PortalCommand):
    """A second run with the same sources costs a few milliseconds."""

    requires_system_checks: tuple[str, ...] = ()
    help = "Builds the agent's package for Linux when its sources have changed, and publishes it on the Agents page."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether what was withdrawn is to come back."""
        parser.add_argument("--again", action="store_true", help="publish it also when somebody has withdrawn it")
        parser.add_argument("--built", metavar="FOLDER", type=Path, help="publish the packages that were built into it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Build, publish, say what; exit status 1 with one line when the build fails."""
        if options["built"]:
            self._publish_built(options["built"], again=options["again"])
            return
        try:
            package, built = bring_up_to_date(ACTOR, again=options["again"])
        except Withdrawn as withdrawn:
            self._stays_withdrawn(withdrawn)
            return
        except BuildFailed as error:
            raise CommandError(
                f"The agent for Linux could not be built: {error} The Agents page goes on with what it has;"
                " run manage.py publish_agent again when the package index can be reached."
            ) from error
        self.stdout.write(f"{package.file_name} {'published' if built else 'is up to date'}.")

    def _publish_built(self, folder: Path, *, again: bool) -> None:
        """Each of the folder's list; exit status 1 with one line when it is no such folder."""
        try:
            for outcome in publish_all(folder, ACTOR, again=again):
                if isinstance(outcome, Withdrawn):
                    self._stays_withdrawn(outcome)
                else:
                    self.stdout.write(f"{outcome.file_name} is published.")
        except NotBuilt as error:
            raise CommandError(f"{folder} cannot be published: {error} Build it with make agents.") from error

    def _stays_withdrawn(self, withdrawn: Withdrawn) -> None:
        self.stdout.write(f"{withdrawn} was withdrawn and stays so; manage.py publish_agent --again publishes it.")
