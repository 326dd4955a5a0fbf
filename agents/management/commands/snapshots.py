"""`manage.py snapshots list|trash|put-back MACHINE …`: what to do about a snapshot that stands in a machine's way.

docs/storage-integrity.md says when.
"""

import argparse
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from agents.models import Machine
from portal.core.actor import Actor, Via
from portal.core.commands import PortalCommand
from portal.core.errors import DomainError
from portal.core.texts import problem
from portal.core.times import exactly
from portal.templatetags.amounts import binary
from vaults.recovery import snapshot_trash
from vaults.regions.storage.base import StorageError

ACTOR = Actor(label="snapshots", via=Via.COMMAND)
LONGEST_REASON = 500


class Command(PortalCommand):
    """Each change is audited with its reason, told to the vault's people, and can be undone."""

    help = "Lists the snapshots of a machine as the regions store them, and moves them to the trash and back."

    def add_arguments(self, parser: CommandParser) -> None:
        """One subcommand for each step."""
        steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
        listing = steps.add_parser("list", help="what is stored, and what is in the trash, in each region")
        trash = steps.add_parser("trash", help="move a snapshot to the trash: it is no longer listed or restored")
        back = steps.add_parser("put-back", help="move it back from the trash")
        for step in (listing, trash, back):
            step.add_argument("machine", metavar="MACHINE", help="its name, or its ID where several have that name")
        for step in (trash, back):
            step.add_argument("snapshots", metavar="SNAPSHOT", nargs="+", help="the first 8 or more digits of its ID")
            step.add_argument("--reason", required=True, help="for the audit log and the vault's people")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the step; CommandError with what to do when it is refused."""
        step = {"list": _list, "trash": _trash, "put-back": _put_back}[options["step"]]
        try:
            for line in step(_machine(options["machine"]), argparse.Namespace(**options)):
                self.stdout.write(line)
        except DomainError as error:
            raise CommandError(error.detail) from error
        except StorageError as error:
            raise CommandError(f"{error} Run this again when the region works.") from error


def _machine(text: str) -> Machine:
    machines = Machine.objects.select_related("vault__region")
    try:
        found = list(machines.filter(pk=UUID(text)))
    except ValueError:
        found = list(machines.filter(name_key=text.lower()).order_by("vault__name_key", "pk"))
    if not found:
        raise CommandError(f'There is no machine "{text}".')
    if len(found) > 1:
        lines = [f"  {each.pk}  of vault {each.vault}, {each.state}" for each in found]
        raise CommandError("\n".join([f'{len(found)} machines are called "{text}". Give the ID:', *lines]))
    return found[0]


def _list(machine: Machine, options: argparse.Namespace) -> Iterator[str]:
    kept = snapshot_trash.of_machine(machine.vault, machine.pk)
    if not kept:
        yield f"Machine {machine} has no snapshot stored in any region."
    for each in kept:
        where = f"{each.region}{', in the trash' if each.trashed else ''}"
        yield f"{each.name[:16]}  {exactly(each.modified)}  {binary(each.size):>9}  {where}"


def _trash(machine: Machine, options: argparse.Namespace) -> Iterator[str]:
    """One after the other: what is said was done, also where the next one is refused."""
    reason = _reason(options)
    for each in options.snapshots:
        name = snapshot_trash.trash(machine.vault, machine.pk, each, reason, actor=ACTOR)
        yield (
            f"Snapshot {name[:16]} of {machine} is in the trash. To undo this: "
            f".venv/bin/python manage.py snapshots put-back {machine.pk} {name[:16]} --reason TEXT"
        )
    yield "If a check of the machine had failed because of it, run strongroom-agent check there."


def _put_back(machine: Machine, options: argparse.Namespace) -> Iterator[str]:
    reason = _reason(options)
    for each in options.snapshots:
        name = snapshot_trash.put_back(machine.vault, machine.pk, each, reason, actor=ACTOR)
        yield f"Snapshot {name[:16]} of {machine} is stored again."


def _reason(options: argparse.Namespace) -> str:
    reason: str = options.reason.strip()
    if trouble := problem(reason, required=True, lines=False, limit=LONGEST_REASON):
        raise CommandError(f"--reason: {trouble}")
    return reason
