"""`manage.py add_administrator USERNAME`: the first administrator of a production, or one after all have left."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from portal.accounts import people
from portal.core.actor import Actor, Via
from portal.core.commands import PortalCommand
from portal.core.errors import Invalid


class Command(PortalCommand):
    """The password is asked for on a terminal, else read from standard input: never an argument, never shown."""

    help = "Makes a person who is an administrator. The password is asked for, or read from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The user name."""
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        """Make the person; raises CommandError with what is wrong and nothing made."""
        password = _asked() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        try:
            people.create_user(
                Actor(label="add_administrator", via=Via.COMMAND), username, password, is_administrator=True
            )
        except Invalid as error:
            raise CommandError(
                " ".join(message for messages in error.errors.values() for message in messages)
            ) from error
        self.stdout.write(f"{username} is an administrator now, and can sign in.")


def _asked() -> str:
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Again: "):
        raise CommandError("The two passwords differ. Nothing was made.")
    return password
