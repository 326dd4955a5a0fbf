"""`manage.py prepare`: everything that has to be in place before the parts start, in one go."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from portal.health import heartbeats
from portal.web import static_files


class Command(BaseCommand):
    """Safe to repeat; a second run finds little to do."""

    requires_system_checks: tuple[str, ...] = ()  # they import the whole site; `make test` has run them
    help = "Brings database, certificates, regions, static files, sign-ins and the agent's package up to date."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do each step; whatever a step raises ends it, but for the agent's package: the portal is of use without."""
        if settings.PRODUCTION:
            self._call("check", deploy=True, fail_level="ERROR")
        self._say("Preparing the database.")
        self._call("migrate", interactive=False, verbosity=0)
        if settings.PRODUCTION:
            self._call("check", tags=["database"], databases=["default"], deploy=True, fail_level="ERROR")
        self._call("prepare_pki")
        self._call("sync_regions")
        self._call("demo_accounts")
        if static_files.collect():
            self._say("Static files collected.")
        try:
            self._call("publish_agent")
        except CommandError as error:
            self.stderr.write(str(error))
        heartbeats.clear()

    def _call(self, command: str, **arguments: Any) -> None:
        call_command(command, stdout=self.stdout, stderr=self.stderr, **arguments)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
