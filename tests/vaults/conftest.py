"""What the tests of vaults share: regions as `sync_regions` makes them, and the real rclone that serves them."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from portal.accounts.models import Subscription, User
from portal.core.actor import Actor
from tests.factories import as_actor
from tests.vaults.deleting import ACTOR, Delete
from tests.vaults.factories import Ask, asking, paired_regions
from tests.vaults.rclone_process import running
from tests.vaults.stored import MachineFolder, backup
from vaults import copy_schedule
from vaults.models import MachineRepository, Operation, PairedCopy, Region, SeenObject, Vault
from vaults.regions import config_file
from vaults.regions.storage import rclone
from vaults.replication import copier
from vaults.requests import vault_requests
from vaults.trash import removals, repositories

GATEWAY = ("serve", "restic", "--append-only", "--cache-objects=false")


@pytest.fixture
def regions(db: None) -> tuple[Region, Region]:
    """`Local A` and `Local B`, paired, from the default regions file."""
    return paired_regions()


@pytest.fixture
def requester(staff: User) -> Actor:
    return as_actor(staff)


@pytest.fixture
def decider(approver: User) -> Actor:
    return as_actor(approver)


@pytest.fixture
def ask(requester: Actor, subscription: Subscription, regions: tuple[Region, Region]) -> Ask:
    """Asks for a vault as `staff`: Payroll, geo-redundant, in Local A, unless told otherwise."""
    return asking(requester, subscription, regions[0])


@pytest.fixture
def creating(ask: Ask, decider: Actor) -> Callable[..., Operation]:
    """An approved vault whose storage is yet to be made: its operation."""

    def make(name: str = "Payroll", **changes: object) -> Operation:
        request = ask(name, **changes)
        vault = vault_requests.approve(request.pk, actor=decider, comment="", digest=request.digest).vault
        return Operation.objects.select_related("vault").get(vault=vault)

    return make


@pytest.fixture
def faults() -> Iterator[pytest.MonkeyPatch]:
    """Faults that a test puts in, and takes out with `undo()` without touching what other fixtures patched."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture
def storage(served: Path) -> Path:
    """The real storage process and both gateways, empty; gives the folder that the two regions lie in."""
    for slug in ("local-a", "local-b"):
        shutil.rmtree(served / slug)
        (served / slug).mkdir()
    return served


@pytest.fixture
def copy(storage: Path, make_vault: Callable[..., Vault], regions: tuple[Region, Region]) -> PairedCopy:
    """The copy of an Active vault, due now."""
    vault = make_vault()
    copy_schedule.create(vault)
    copy_schedule.schedule(vault.pk)
    return PairedCopy.objects.get()


@pytest.fixture(scope="session")
def served() -> Iterator[Path]:
    """What `storage` gives, with what earlier tests left."""
    config_file.write_default(settings.REGIONS_FILE, settings.DATA / "storage")
    places = config_file.read(settings.REGIONS_FILE)
    config_file.write_rclone_config(settings.DATA / "rclone.conf", places)
    rcd = Path(settings.STORAGE_SOCKET)
    with ExitStack() as stack:
        control = ("rcd", "--rc-no-auth", "--rc-serve", "--rc-addr", f"unix://{rcd}")
        stack.enter_context(running(*control, socket=rcd))
        for place in places:
            Path(place.remote).mkdir(parents=True, exist_ok=True)
            socket = Path(settings.GATEWAY_SOCKET.format(region=place.slug))
            stack.enter_context(running(*GATEWAY, "--addr", f"unix://{socket}", f"{place.slug}:", socket=socket))
        yield settings.DATA / "storage"
        rclone._client().close()


@pytest.fixture
def ours(storage: Path, copy: PairedCopy) -> MachineFolder:
    """The folder of a machine that has stored nothing yet."""
    return MachineFolder(storage / "local-a", copy.vault_id, uuid4())


@pytest.fixture
def number(ours: MachineFolder) -> UUID:
    return UUID(ours.path.partition("/")[2])


@pytest.fixture
def stored(copy: PairedCopy, ours: MachineFolder, number: UUID) -> dict[str, bytes]:
    """A backup that both regions have, first seen a month ago."""
    found = backup(ours, b"one ")
    copier.run(copy.pk)
    copy_schedule.schedule(copy.vault_id)
    repositories.look(copy.vault, number)
    SeenObject.objects.update(first_seen_at=timezone.now() - timedelta(days=30))
    return found


@pytest.fixture
def delete(copy: PairedCopy, number: UUID) -> Delete:
    """The machine deletes the object at that path."""

    def deleted(path: str) -> None:
        kind, name = path.split("/")[2], path.rpartition("/")[2]
        removals.remove(copy.vault, number, kind, name, actor=ACTOR)

    return deleted


@pytest.fixture
def announced(copy: PairedCopy, number: UUID, stored: dict[str, bytes]) -> None:
    """A retain that may delete the machine's snapshots, and has plenty of data left."""
    repositories.of_machine(copy.vault, number)
    MachineRepository.objects.update(
        retain_began_at=timezone.now(),
        retain_ends_at=timezone.now() + timedelta(hours=1),
        retain_snapshots=[path.rpartition("/")[2] for path in stored if "/snapshots/" in path],
        live_bytes=10**6,
    )
