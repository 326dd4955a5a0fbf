"""Somebody with the region's own key deletes and replaces what is stored: it comes back, byte for byte."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from tests.vaults import locked as store
from tests.vaults.deleting import ACTOR, of_kind
from tests.vaults.locked import Locked
from tests.vaults.stores import Store, seaweed
from vaults.lifecycle import provisioning
from vaults.models import LostObject, Operation, Region, RemovedObject, SeenObject, Vault
from vaults.recovery import bring_back, uncover
from vaults.regions.storage.rclone import region_storage
from vaults.states import OperationState
from vaults.trash import removals

pytestmark = [pytest.mark.system, pytest.mark.django_db]
BringBack = Callable[[datetime], Operation]
KINDS = ("config", "keys", "data", "index", "snapshots")


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with seaweed(tmp_path_factory.mktemp("weed")) as running:
        store.make_buckets(running)
        yield running


@pytest.fixture(params=["locked", "versions"])
def kept(
    request: pytest.FixtureRequest, weed: Store, make_vault: Callable[..., Vault], tmp_path: Path
) -> Iterator[Locked]:
    """A machine's vault in a bucket with object lock, and in one with versions alone."""
    root = f"the root {uuid4().hex[:12]}"
    with pytest.MonkeyPatch.context() as patch, store.served(store.regions_file(weed, root), tmp_path, patch):
        region = Region.objects.create(slug=request.param, name=request.param.title())
        yield Locked(region, make_vault(region=region), uuid4(), weed.s3(), root)


@pytest.fixture
def back(kept: Locked, requester: Actor) -> BringBack:
    """Brings the machine back as of a time."""

    def brought(as_of: datetime) -> Operation:
        operation = bring_back.start(kept.vault, kept.machine, as_of=as_of, reason="The key leaked.", actor=requester)
        while Operation.objects.get(pk=operation.pk).state == OperationState.RUNNING:
            Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now() - timedelta(seconds=1))
            provisioning.run(operation.pk)
        ended = Operation.objects.get(pk=operation.pk)
        assert ended.state == OperationState.SUCCEEDED
        return ended

    return brought


@pytest.fixture
def before(stored: dict[str, bytes]) -> datetime:
    """A moment at which all that is `stored` was there."""
    return timezone.now() - timedelta(days=1)


@pytest.fixture
def stored(kept: Locked) -> dict[str, bytes]:
    return kept.backup(b"one ")


@pytest.mark.parametrize("kept", ["locked"], indirect=True)
def test_what_its_holder_tries(kept: Locked, stored: dict[str, bytes], back: BringBack, before: datetime) -> None:
    """Delete each version, lift governance, shorten, lock in a way that can be lifted, suspend versions, drop the
    bucket: refused. Markers and junk on top of everything are not; they give way."""
    refused: dict[str, set[str]] = {}

    def tries(what: str, call: Callable[..., object], **request: object) -> None:
        with pytest.raises(ClientError) as error:
            call(Bucket="locked", **request)
        refused.setdefault(what, set()).add(error.value.response["Error"]["Code"])

    soon = timezone.now() + timedelta(hours=1)
    for path in stored:
        for version in kept.versions(path):
            one = {"Key": f"{kept.root}/{path}", "VersionId": version.id}
            tries("delete", kept.s3.delete_object, **one)
            tries("bypass", kept.s3.delete_object, **one, BypassGovernanceRetention=True)
            for mode in ("COMPLIANCE", "GOVERNANCE"):
                lock = {"Mode": mode, "RetainUntilDate": soon}
                tries("shorten", kept.s3.put_object_retention, **one, Retention=lock, BypassGovernanceRetention=True)
    tries("suspend", kept.s3.put_bucket_versioning, VersioningConfiguration={"Status": "Suspended"})
    tries("drop", kept.s3.delete_bucket)
    assert refused == {
        "delete": {"AccessDenied"},
        "bypass": {"AccessDenied"},
        "shorten": {"AccessDenied"},
        "suspend": {"InvalidBucketState"},
        "drop": {"BucketNotEmpty"},
    }
    for number, path in enumerate(stored):
        if number % 2:
            kept.replace(path, b"junk")
        kept.delete(path)
    assert kept.there() == {}
    back(before)
    assert kept.there() == stored


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("same_size", [True, False])
def test_junk_of_the_same_name_gives_way(
    kept: Locked, stored: dict[str, bytes], back: BringBack, before: datetime, kind: str, same_size: bool
) -> None:
    path = next(each for each in stored if each.split("/")[2] == kind)
    kept.replace(path, b"x" * len(stored[path]) if same_size else b"junk" * 100)
    back(before)
    assert kept.there() == stored
    assert AuditEvent.objects.get(action="repository:brought-back").detail["returned"] == 1


def test_what_was_deleted_from_the_trash_comes_back(
    kept: Locked, stored: dict[str, bytes], back: BringBack, before: datetime
) -> None:
    """First the machine deletes, with its own key; then somebody empties the trash with the region's."""
    for kind in ("snapshots", "index", "data"):
        name = of_kind(stored, kind).rpartition("/")[2]
        removals.remove(kept.vault, kept.machine, kind, name, actor=ACTOR)
    for entry in region_storage(kept.region).tree("trash"):
        kept.delete(f"trash/{entry.name}")
    back(before)
    assert kept.there() == stored
    assert not RemovedObject.objects.exists()
    assert not LostObject.objects.exists()


def test_what_the_machine_deleted_before_stays_deleted(kept: Locked, stored: dict[str, bytes], back: BringBack) -> None:
    gone = of_kind(stored, "snapshots")
    removals.remove(kept.vault, kept.machine, "snapshots", gone.rpartition("/")[2], actor=ACTOR)
    RemovedObject.objects.update(removed_at=timezone.now() - timedelta(days=2))
    kept.delete(of_kind(stored, "data"))
    back(timezone.now() - timedelta(days=1))
    assert kept.there() == {path: data for path, data in stored.items() if path != gone}


def test_forged_objects_go_and_can_come_back(
    kept: Locked, stored: dict[str, bytes], back: BringBack, before: datetime
) -> None:
    forged = kept.backup(b"forged ", seen=0)
    later = timezone.now()
    kept.delete(of_kind(stored, "data"))
    back(before)
    assert kept.there() == stored
    back(later)
    assert kept.there() == stored | forged


def test_nothing_is_done_where_all_is_in_place(
    kept: Locked, stored: dict[str, bytes], back: BringBack, before: datetime
) -> None:
    versions = kept.versions()
    back(before)
    assert kept.versions() == versions


def test_it_goes_on_where_the_time_ended(
    kept: Locked, stored: dict[str, bytes], before: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here each look at the clock is a second, and each turn has time for one object."""
    for path in stored:
        kept.delete(path)
    clock, memory, came = [0], dict[str, object](), list[int]()

    def look() -> int:
        clock[0] += 1
        return clock[0]

    monkeypatch.setattr(uncover, "time", SimpleNamespace(monotonic=look))
    done = False
    while not done:
        done = uncover.bring_forward(kept.region, kept.vault, kept.machine, before, memory, until=clock[0] + 1)
        came.append(len(kept.there()))
    assert came == [1, 2, 3, 4, 5]
    assert (kept.there(), memory["returned"]) == (stored, 5)


@pytest.mark.parametrize("kept", ["versions"], indirect=True)
def test_without_a_lock_what_was_erased_is_lost(
    kept: Locked, stored: dict[str, bytes], back: BringBack, before: datetime
) -> None:
    """As the documentation says: versions alone protect from mistakes."""
    path = of_kind(stored, "data")
    (only,) = kept.versions(path)
    kept.s3.delete_object(Bucket="versions", Key=f"{kept.root}/{path}", VersionId=only.id)
    back(before)
    assert kept.there() == {each: data for each, data in stored.items() if each != path}
    assert SeenObject.objects.filter(kind="data").exists()
