"""`manage.py demo_accounts`: the four sign-ins and the subscription of a first run."""

import json
import secrets
from typing import Any

from django.conf import settings
from django.db import transaction

from portal.accounts import people, subscriptions
from portal.accounts.models import User
from portal.core import files
from portal.core.actor import Actor, Via
from portal.core.commands import PortalCommand

NAMES = ("staff", "approver", "auditor", "admin")
SUBSCRIPTION = "Default"


class Command(PortalCommand):
    """Does nothing when there are people already, or in production."""

    help = "Makes one sign-in for each role, with random passwords, and writes them to demo-accounts.json (mode 0600)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Make them all, or none: the file is written before the transaction ends."""
        if settings.PRODUCTION or User.objects.exists():
            return
        passwords = {name: secrets.token_urlsafe(12) for name in NAMES}
        actor = Actor(label="demo_accounts", via=Via.COMMAND)
        with transaction.atomic():
            staff = people.create_user(actor, "staff", passwords["staff"])
            people.create_user(actor, "approver", passwords["approver"], is_approver=True)
            people.create_user(actor, "auditor", passwords["auditor"], is_auditor=True)
            people.create_user(actor, "admin", passwords["admin"], is_administrator=True)
            subscriptions.add_member(actor, staff, subscriptions.create_subscription(actor, SUBSCRIPTION))
            files.replace(settings.DATA / "demo-accounts.json", json.dumps(passwords))
        self.stdout.write(f"Sign-ins made: {', '.join(NAMES)}.")
