"""A vault whose one region is a bucket with object lock, or with versions alone, of a real store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from tests.vaults.rclone_process import running
from tests.vaults.stored import CONFIG, digest
from tests.vaults.stores import Store
from vaults.models import Region, SeenObject, Vault
from vaults.regions import config_file
from vaults.regions.object_lock import bucket_of
from vaults.regions.storage import rclone
from vaults.regions.storage.rclone import region_storage
from vaults.regions.storage.versions import Version, VersionedBucket
from vaults.trash import repositories

REGION = """
[[region]]
slug = "{slug}"
name = "{name}"
remote = "{slug}store:{bucket}/{root}"
{lock}
[region.config]
{config}
"""


def regions_file(weed: Store, root: str, *, days: int = 30) -> str:
    """A regions file with a folder `root` in a bucket that locks, and in one that keeps versions."""
    config = "\n".join(f'{key} = "{value}"' for key, value in weed.config.items())
    says = f'object_lock = {{ mode = "compliance", days = {days} }}'
    locked = REGION.format(slug="locked", name="Locked", bucket="locked", root=root, lock=says, config=config)
    return locked + REGION.format(
        slug="versions", name="Versions", bucket="versions", root=root, lock="", config=config
    )


def make_buckets(weed: Store) -> None:
    """The two buckets of `regions_file`."""
    weed.make_bucket("locked", lock=True)
    weed.make_bucket("versions", versions=True)


@contextmanager
def served(regions: str, folder: Path, patch: Any) -> Iterator[None]:
    """The storage process, with the regions of that file."""
    file, config, rcd = folder / "regions.toml", folder / "rclone.conf", folder / "rc"
    file.write_text(regions)
    config_file.write_rclone_config(config, config_file.read(file))
    control = ("rcd", "--rc-no-auth", "--rc-serve", "--rc-addr", f"unix://{rcd}")
    with running(*control, socket=rcd, config=config):
        patch.setattr(settings, "STORAGE_SOCKET", str(rcd))
        patch.setattr(settings, "REGIONS_FILE", file)
        yield
        rclone._client().close()


@dataclass
class Locked:
    """A machine's backup in a bucket, and what somebody with the region's key does there."""

    region: Region
    vault: Vault
    machine: UUID
    s3: Any
    root: str

    @property
    def bucket(self) -> VersionedBucket:
        found = bucket_of(self.region)
        assert found is not None
        return found

    @property
    def folder(self) -> str:
        return f"{self.vault.pk}/{self.machine}"

    def backup(self, label: bytes, *, seen: int = 30) -> dict[str, bytes]:
        """Store an object of each kind, first seen so many days ago; by path."""
        stored = {f"{self.folder}/config": CONFIG}
        for kind in ("keys", "data", "index", "snapshots"):
            data = label + kind.encode()
            name = digest(data)
            stored[f"{self.folder}/{kind}/{name[:2]}/{name}" if kind == "data" else f"{self.folder}/{kind}/{name}"] = (
                data
            )
        for path, data in stored.items():
            region_storage(self.region).write(path, data)
        repositories.look(self.vault, self.machine, thoroughly=True)
        names = [path.rpartition("/")[2] for path in stored]
        then = timezone.now() - timedelta(days=seen)
        SeenObject.objects.filter(name__in=names).update(first_seen_at=then)
        return stored

    def there(self) -> dict[str, bytes]:
        """What the machine has in the region now: by path."""
        storage = region_storage(self.region)
        paths = [f"{self.folder}/{entry.name}" for entry in storage.tree(self.folder)]
        return {path: storage.read(path) for path in paths}

    def versions(self, path: str = "") -> list[Version]:
        """Of an object, or of all."""
        return self.bucket.of(path) if path else list(self.bucket.below(""))

    def until(self, version: Version) -> datetime | None:
        return self.bucket.locked_until(version)

    def days_left(self, path: str) -> list[int]:
        """For how many days each version of the object is locked, the newest first; 0 for one that is not."""
        ends = [self.until(each) for each in self.versions(path) if not each.marker]
        return [round((end - timezone.now()) / timedelta(days=1)) if end else 0 for end in ends]

    def delete(self, path: str) -> None:
        """As anybody can who holds the region's key."""
        self.s3.delete_object(Bucket=self.region.slug, Key=f"{self.root}/{path}")

    def replace(self, path: str, data: bytes) -> None:
        """Junk, under the name of something else."""
        self.s3.put_object(Bucket=self.region.slug, Key=f"{self.root}/{path}", Body=data)
