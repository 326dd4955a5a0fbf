"""A store with object lock, a real one: what is stored is kept from whoever holds its key, or the region is refused."""

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.vaults.stores import SECRET, Store, seaweed
from vaults.regions.config_file import BadRegionsFile, Place
from vaults.regions.object_lock import require
from vaults.regions.storage.base import StorageRefused, StorageUnavailable
from vaults.regions.storage.versions import Version, VersionedBucket, VersionLocked

pytestmark = pytest.mark.system
LATER = timedelta(days=30)


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """SeaweedFS with a bucket that locks, one that keeps versions, and one that does neither."""
    with seaweed(tmp_path_factory.mktemp("weed")) as store:
        store.make_bucket("locked", lock=True)
        store.make_bucket("versions", versions=True)
        store.make_bucket("plain")
        yield store


def place(weed: Store, bucket: str = "locked", **config: str) -> Place:
    return Place("weed", "Weed", f"s:{bucket}/a root", config={**weed.config, **config}, lock_days=30)


@pytest.fixture
def bucket(weed: Store) -> VersionedBucket:
    return VersionedBucket(place(weed), "Weed")


@pytest.fixture
def stored(bucket: VersionedBucket, request: pytest.FixtureRequest) -> Version:
    """An object that is locked for a day, in a folder of the test's own."""
    path = f"{request.node.name}/data/aa/one"
    bucket.write_locked(path, b"one", timezone.now() + timedelta(days=1))
    (found,) = bucket.of(path)
    return found


def days_left(bucket: VersionedBucket, version: Version) -> int:
    until = bucket.locked_until(version)
    return round((until - timezone.now()) / timedelta(days=1)) if until else 0


def test_a_store_with_object_lock_is_taken(weed: Store) -> None:
    assert require([place(weed)]) == []


@pytest.mark.parametrize(
    ("bucket", "config", "why"),
    [
        ("plain", {}, "the bucket plain has no object lock. Make another"),
        ("versions", {}, "the bucket versions has no object lock. Make another"),
        ("nowhere", {}, "does not have the bucket nowhere"),
        ("locked", {"secret_access_key": SECRET[::-1]}, "denies access"),
    ],
)
def test_one_without_is_refused(weed: Store, bucket: str, config: dict[str, str], why: str) -> None:
    with pytest.raises(BadRegionsFile, match=why) as refused:
        require([place(weed, bucket, **config)])
    assert SECRET[::-1] not in str(refused.value)


def test_a_lock_that_does_not_hold_is_refused(weed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a store that takes retention and forgets it: here the probe stores without any."""

    def forgets(self: VersionedBucket, path: str, data: bytes, until: object) -> str:
        return str(self._s3.put_object(Bucket=self._bucket, Key=self._prefix + path, Body=data)["VersionId"])

    monkeypatch.setattr(VersionedBucket, "write_locked", forgets)
    with pytest.raises(BadRegionsFile, match="let it be deleted all the same"):
        require([place(weed)])


def test_a_store_that_does_not_answer_is_no_reason_to_stop(weed: Store) -> None:
    assert require([place(weed, endpoint="http://127.0.0.1:9")]) == ["Weed is not responding."]


@pytest.mark.django_db
def test_the_start_says_so(weed: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sync_regions` comes before every start."""
    monkeypatch.setattr(settings, "DATA", tmp_path)
    monkeypatch.setattr(settings, "REGIONS_FILE", tmp_path / "regions.toml")
    text = (
        '[[region]]\nslug = "a"\nname = "A"\nremote = "s:plain/a"\nobject_lock = { mode = "compliance", days = 30 }\n'
    )
    config = "\n".join(f'{key} = "{value}"' for key, value in weed.config.items())
    settings.REGIONS_FILE.write_text(f"{text}[region.config]\n{config}\n")
    with pytest.raises(CommandError, match="Region a: the bucket plain has no object lock"):
        call_command("sync_regions", stdout=StringIO())
    assert not (tmp_path / "rclone.conf").exists()
    settings.REGIONS_FILE.write_text(settings.REGIONS_FILE.read_text().replace("s:plain", "s:locked"))
    call_command("sync_regions", stdout=StringIO())
    assert "object_lock_mode = COMPLIANCE" in (tmp_path / "rclone.conf").read_text()


def test_a_lock_is_extended_and_never_shortened(bucket: VersionedBucket, stored: Version) -> None:
    assert days_left(bucket, stored) == 1
    bucket.lock(stored, timezone.now() + LATER)
    assert days_left(bucket, stored) == 30
    bucket.lock(stored, timezone.now() + timedelta(days=2))  # no error: it is locked for longer
    assert days_left(bucket, stored) == 30


def test_what_is_locked_cannot_be_erased(bucket: VersionedBucket, stored: Version) -> None:
    with pytest.raises(VersionLocked):
        bucket.erase(stored)
    assert bucket.of(stored.path) == [stored]


def test_what_is_not_locked_any_more_can(bucket: VersionedBucket) -> None:
    bucket._s3.put_object(Bucket="locked", Key="a root/unlocked", Body=b"x")
    (found,) = bucket.of("unlocked")
    assert bucket.locked_until(found) is None
    bucket.erase(found)
    assert bucket.of("unlocked") == []


def test_an_older_version_comes_forward(bucket: VersionedBucket, stored: Version) -> None:
    """Below junk of the same name, below the marker of a deletion: the copy is locked as well."""
    bucket._s3.put_object(Bucket="locked", Key=f"a root/{stored.path}", Body=b"two")
    bucket._s3.delete_object(Bucket="locked", Key=f"a root/{stored.path}")
    assert [each.marker for each in bucket.of(stored.path)] == [True, False, False]
    bucket.bring_forward(stored, stored.path)
    newest = bucket.of(stored.path)[0]
    assert (bucket.sha256(newest), newest.latest) == (bucket.sha256(stored), True)
    assert days_left(bucket, newest) == 30


def test_pages_have_all_of_it_once(bucket: VersionedBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a page ends amid the versions of one object."""
    monkeypatch.setattr("vaults.regions.storage.versions.PAGE", 3)
    for number in range(4):
        for _ in range(number + 1):
            bucket._s3.put_object(Bucket="locked", Key=f"a root/pages/{number}", Body=b"x")
    bucket._s3.delete_object(Bucket="locked", Key="a root/pages/2")
    found = list(bucket.below("pages"))
    assert len(found) == len({each.id for each in found}) == 11
    assert [each.path for each in found] == sorted(each.path for each in found)


@pytest.mark.parametrize(
    ("changed", "error"),
    [({"secret_access_key": SECRET[::-1]}, StorageRefused), ({"endpoint": "http://127.0.0.1:9"}, StorageUnavailable)],
)
def test_troubles_are_told_as_such(weed: Store, changed: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        VersionedBucket(place(weed, **changed), "Weed").page("")
