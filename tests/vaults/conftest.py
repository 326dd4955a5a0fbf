"""What the tests of vaults share: regions as `sync_regions` makes them, and the real rclone that serves them."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import call_command

from portal.accounts.models import Subscription, User
from portal.core.actor import Actor
from tests.conftest import as_actor
from tests.waiting import listens
from vaults import copy_schedule
from vaults.models import Operation, PairedCopy, Region, Vault, VaultRequest
from vaults.regions import config_file
from vaults.regions.storage import rclone
from vaults.requests import vault_requests

RCLONE = Path(settings.BASE_DIR) / ".venv" / "bin" / "rclone"
GATEWAY = ("serve", "restic", "--append-only", "--cache-objects=false")

# httpcore leaves a socket that could not connect to the garbage collector, which complains about it.
NO_SOCKET = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def regions(db: None) -> tuple[Region, Region]:
    """`Local A` and `Local B`, paired, from the default regions file."""
    call_command("sync_regions", stdout=StringIO())
    return Region.objects.get(slug="local-a"), Region.objects.get(slug="local-b")


@pytest.fixture
def requester(staff: User) -> Actor:
    return as_actor(staff)


@pytest.fixture
def decider(approver: User) -> Actor:
    return as_actor(approver)


Ask = Callable[..., VaultRequest]


@pytest.fixture
def ask(requester: Actor, subscription: Subscription, regions: tuple[Region, Region]) -> Ask:
    """Asks for a vault as `staff`: Payroll, geo-redundant, in Local A, unless told otherwise."""

    def submit(name: str = "Payroll", **changes: object) -> VaultRequest:
        wanted: dict[str, object] = {
            "actor": requester,
            "subscription": subscription,
            "region": regions[0],
            "redundancy": "geo",
            "reason": "Pay slips",
            **changes,
        }
        return vault_requests.submit(name=name, **wanted)  # type: ignore[arg-type]

    return submit


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


@contextmanager
def running(*arguments: str, socket: Path, config: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Rclone with the arguments, from when it listens on `socket` until the end of the block."""
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)
    command = [str(RCLONE), *arguments, "--config", str(config or settings.DATA / "rclone.conf"), "-q"]
    process = subprocess.Popen(command, env={**os.environ, "HOME": str(settings.DATA)}, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 20
        while not listens(socket):
            assert process.poll() is None, f"{command} ended with {process.returncode}"
            assert time.monotonic() < ends, f"{command} does not listen"
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.wait()


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


def vault_of(operation: Operation) -> Vault:
    """The operation's vault as it is now."""
    return Vault.objects.get(pk=operation.vault_id)


def again(operation_id: UUID) -> Operation:
    """The operation as it is now."""
    return Operation.objects.select_related("vault").get(pk=operation_id)
