"""`manage.py pki`: the fingerprints of the CAs, replacing them, and sealing their keys anew.

docs/operations/certificates.md has the order in which people do these.
"""

import argparse
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser

from portal.core.actor import Actor, Via
from portal.core.commands import PortalCommand
from portal.core.errors import DomainError
from portal.core.times import exactly
from portal.edge import files
from portal.pki import authorities, report, rotation
from portal.templatetags.amounts import plural

ACTOR = Actor(label="pki", via=Via.COMMAND)


class Command(PortalCommand):
    """Each step changes the keys in one go, writes an audit entry, and gives the edge its new files."""

    help = "Shows and replaces the CAs of this portal."

    def add_arguments(self, parser: CommandParser) -> None:
        """One subcommand for each step."""
        steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
        steps.add_parser("fingerprints", help="what is trusted, and what the edge shows and accepts just now")
        rotate = steps.add_parser("rotate", help="make new CAs, trusted beside the present ones")
        rotate.add_argument("what", choices=("root", "issuers"), help="root: with a new root; issuers: under the same")
        retire = steps.add_parser("retire", help="end the trust in the CAs before")
        retire.add_argument("--now", action="store_true", help="also when machines or credentials still need them")
        steps.add_parser("reseal", help="seal all keys with STRONGROOM_SEAL_KEY; STRONGROOM_SEAL_KEY_OLD opens them")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the step; CommandError with what to do when it is refused."""
        step = {"fingerprints": _fingerprints, "rotate": _rotate, "retire": _retire, "reseal": _reseal}[options["step"]]
        try:
            said = step(argparse.Namespace(**options))
        except DomainError as error:
            raise CommandError(error.detail) from error
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        self.stdout.write(said)


def _fingerprints(options: argparse.Namespace) -> str:
    keyring = authorities.load_keyring()
    return "\n".join([*report.stored(keyring), *report.at_the_edge(keyring, settings.EDGE_URL)])


def _rotate(options: argparse.Namespace) -> str:
    new = rotation.rotate(ACTOR, with_root=options.what == "root")
    files.bring_up_to_date(ACTOR)
    return (
        f"Generation {new.number} is trusted beside {new.number - 1}, and issues to machines from"
        f" {exactly(new.made_at + authorities.SETTLING)} on. When every machine has renewed: manage.py pki retire."
    )


def _retire(options: argparse.Namespace) -> str:
    old = rotation.retire(ACTOR, whoever_needs_it=options.now)
    files.bring_up_to_date(ACTOR)
    return f"Generation {old.number} is not trusted any more, and its keys are deleted."


def _reseal(options: argparse.Namespace) -> str:
    count = rotation.reseal(ACTOR)
    sealed = f"{plural(count, 'key')} {'is' if count == 1 else 'are'} sealed"
    return f"{sealed} with STRONGROOM_SEAL_KEY. STRONGROOM_SEAL_KEY_OLD is not needed any more."
