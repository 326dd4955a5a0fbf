"""`manage.py prepare`: everything that has to be in place before the parts start, in one go."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from portal import heartbeats, static_files

STEPS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Database", "migrate", {"interactive": False, "verbosity": 0}),
    ("Certificates", "prepare_pki", {}),
    ("Regions", "sync_regions", {}),
    ("Sign-ins", "demo_accounts", {}),
)


class Command(BaseCommand):
    """Safe to repeat; a second run finds little to do."""

    requires_system_checks: tuple[str, ...] = ()  # they import the whole site; `make test` has run them
    help = "Brings database, certificates, regions, static files, sign-ins and the agent's package up to date."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do each step; whatever a step raises ends it."""
        if settings.PRODUCTION:
            call_command("check", deploy=True, fail_level="ERROR")
        for title, command, arguments in STEPS:
            self.stdout.write(f"{title} ({command})")
            self.stdout.flush()
            call_command(command, stdout=self.stdout, stderr=self.stderr, **arguments)
        if static_files.collect():
            self.stdout.write("Static files collected.")
        heartbeats.forget()
