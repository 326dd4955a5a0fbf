"""What the recovery kit of a machine says."""

from datetime import datetime

from django.conf import settings

from agents.models import Machine
from agents.recovery.addresses import Address, address_in, hidden_address
from agents.recovery.document import Block, Kit, Section
from portal.core.times import for_people
from vaults.models import PairedCopy, Redundancy, Region
from vaults.regions import catalog

LEAST_RESTIC = "0.14"
GOOD_RESTIC = "0.18"
PASSPHRASE = "passphrase.txt"  # noqa: S105 - a file name
_FIRST = (f'export RESTIC_PASSWORD_FILE="$PWD/{PASSPHRASE}"',)
_LOOK = "restic --no-lock snapshots"
_NEWEST = "restic --no-lock restore latest --target newest --verify"
_ALL = (
    "for id in $(restic --no-lock list snapshots); do",
    '  restic --no-lock restore "$id" --target "all/$id" --verify || echo "$id: NOT WHOLE"',
    "done",
)
_PROVE = "restic --no-lock check --read-data"


def kit_of(machine: Machine, at: datetime, *, knows_places: bool) -> Kit:
    """The kit, made `at`. `knows_places`: the reader may know where regions are, which is shown then.

    `machine` comes with its vault, and that with region and subscription. Raises BadRegionsFile.
    """
    copy = _copy_of(machine)
    regions = [machine.vault.region, *([copy.region] if copy else [])]
    sections = [
        _about(machine, regions),
        _needed(machine),
        *(_restoring(machine, each, hidden=not knows_places) for each in regions),
        _afterwards(machine),
    ]
    return Kit(f"Recovery kit for {machine.name}", at, tuple(sections), _state(machine, copy))


def file_name(machine: Machine, at: datetime) -> str:
    """`Payroll_hr-db-02_recovery-kit_2026-11-28.txt`: names of vaults and machines hold no more than a file's may."""
    return f"{machine.vault.name}_{machine.name}_recovery-kit_{at:%Y-%m-%d}.txt"


def _copy_of(machine: Machine) -> PairedCopy | None:
    if machine.vault.redundancy != Redundancy.GEO:
        return None
    return PairedCopy.objects.filter(vault=machine.vault_id).select_related("region").first()


def _state(machine: Machine, copy: PairedCopy | None) -> tuple[tuple[str, str], ...]:
    state = [("State", machine.state), ("Last backup", _moment(machine.last_backup_at))]
    if copy:
        state.append(("Copy complete", f"as of {_moment(copy.complete_as_of)}" if copy.complete_as_of else "not yet"))
    return tuple(state)


def _moment(moment: datetime | None) -> str:
    return for_people(moment) if moment else "none yet"


def _about(machine: Machine, regions: list[Region]) -> Section:
    vault, pair = machine.vault, regions[1] if len(regions) > 1 else None
    facts = (
        ("Machine", f"{machine.name} ({machine.pk})"),
        ("Vault", f"{vault.name} ({vault.pk})"),
        ("Subscription", vault.subscription.name),
        ("Region", vault.region.name),
        ("Paired region", pair.name if pair else "none: the vault is locally redundant, there is no other copy"),
        ("Portal", settings.PORTAL_URL),
        ("Edge", settings.EDGE_URL),
    )
    what = (
        f"With this sheet, the passphrase and access to one region, all backups of {machine.name} come back with"
        " restic alone: neither portal, database nor edge is needed. It holds no secret. While the portal works, use"
        " strongroom-agent restore, which proves each file, or Replace on the machine's page."
    )
    return Section("What this is", (Block(text=what), Block(facts=facts)))


def _needed(machine: Machine) -> Section:
    restic = (
        f"1. restic {LEAST_RESTIC} or newer, better {GOOD_RESTIC}: from the system's packages, or from restic.net."
        " The commands are for a POSIX shell; in PowerShell, $env:NAME = 'VALUE' stands for export NAME=VALUE."
    )
    passphrase = (
        f"2. The passphrase of {machine.name}. The portal never had it, and nobody can read the backups without it. It"
        " is where setup saved it (--save-passphrase-to), or where it was copied to from there. On the machine itself,"
        " strongroom-agent status says which files have it."
    )
    room = (
        "3. An empty folder with room for what is restored. Put the passphrase into it, as the one line of a file"
        f" {PASSPHRASE} that nobody else may read, go there, and type all commands there. Be root, so that files get"
        " their owners back."
    )
    return Section("What you need", tuple(Block(text=text) for text in (restic, passphrase, room)))


def _restoring(machine: Machine, region: Region, *, hidden: bool) -> Section:
    address = _address(machine, region, hidden=hidden)
    first = region.pk == machine.vault.region_id
    what = "the vault's region" if first else "the paired region, which has a copy"
    if address is None:
        gone = f"The portal's regions file no longer has the region {region.name}. Its administrators know what it was."
        return Section(f"Restore from {region.name}", (Block(text=gone),))
    blocks = (
        Block(facts=(("Region", f"{region.name}, {what}"), ("Repository", address.lies))),
        Block(text=address.access),
        Block(text="Say where everything is, and see which backups there are:"),
        Block(commands=(*_FIRST, *address.lines, _LOOK)),
        Block(text="The newest backup, into the folder newest; put an ID of the list in place of latest for another:"),
        Block(commands=(_NEWEST,)),
        Block(text="All backups, each into a folder of its own:"),
        Block(commands=_ALL),
        Block(text="Or first read all that is stored, and see whether it is whole:"),
        Block(commands=(_PROVE,)),
    )
    return Section(f"Restore from {region.name}", blocks)


def _address(machine: Machine, region: Region, *, hidden: bool) -> Address | None:
    below = f"{machine.vault_id}/{machine.pk}"
    if hidden:
        return hidden_address(below)
    place = catalog.places().get(region.slug)
    return address_in(place, below) if place else None


def _afterwards(machine: Machine) -> Section:
    rest = (
        "Each file comes back below the target under the full path that it had. restic says how many files it restored"
        " and verified; exit status 0 means all of them. Nothing here changes what is stored."
    )
    age = (
        f"A kit grows old when the vault's redundancy or regions change. {settings.PORTAL_URL}/machines/{machine.pk}"
        "/recovery-kit/ shows the kit as of now: as long as its number is that of this one, this one is good, whatever"
        " its date. Print it anew once a year all the same, and try it."
    )
    return Section("Afterwards, and how old this kit is", (Block(text=rest), Block(text=age)))
