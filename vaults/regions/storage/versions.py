"""The versions of objects in an S3 bucket: listed, locked, brought to the front, erased.

Rclone stores, lists and moves objects in such a region as in any other. What it cannot ask of a store is asked here,
with the bucket and the key that the regions file gives to rclone: versions by their IDs, and longer retention of one
that is there already. Botocore is loaded at the first use: no other region needs it.
"""

import hashlib
import logging
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from vaults.regions.config_file import Place
from vaults.regions.storage.base import StorageError, StorageRefused, StorageUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

log = logging.getLogger(__name__)
PAGE = 1000  # versions of one listing; more is not allowed
CONNECT, READ = 2, 15  # seconds
CHUNK = 1024 * 1024  # bytes
DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "Forbidden"})
NO_LOCK = frozenset({"ObjectLockConfigurationNotFoundError", "NotImplemented", "MethodNotAllowed", "InvalidRequest"})
NO_RETENTION = frozenset({"NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "InvalidRequest"})
REFUSES = frozenset({"AccessDenied", "InvalidRequest", "ObjectLocked"})


class _Told(Exception):
    """The store's answer is an error that tells something."""


class VersionLocked(StorageError):
    """The store keeps the version until its retention ends."""


@dataclass(frozen=True)
class Version:
    """One version of the object at `path` in the region, or the marker of its deletion: `size` in bytes."""

    path: str
    id: str
    size: int
    modified: datetime
    latest: bool
    marker: bool


@dataclass(frozen=True)
class Page:
    """Versions in the order of their paths, the newest of each first; `after` is where the next page begins, if any."""

    versions: list[Version]
    after: tuple[str, str]


class VersionedBucket:
    """A region's bucket. All calls are bounded in time and raise StorageUnavailable or StorageRefused."""

    def __init__(self, place: Place, name: str) -> None:
        self.name = name
        self.lock_days = place.lock_days
        self._bucket, root = place.bucket
        self._prefix = f"{root}/" if root else ""
        self._s3 = _client(tuple(sorted(place.config.items())))

    def keeps_versions(self) -> bool:
        """Whether what is overwritten or deleted stays there as an older version."""
        with self._asking():
            found = self._s3.get_bucket_versioning(Bucket=self._bucket)
        return bool(found.get("Status") == "Enabled")

    def can_lock(self) -> bool:
        """Whether the bucket was made with object lock."""
        try:
            with self._asking(tells=NO_LOCK):
                found = self._s3.get_object_lock_configuration(Bucket=self._bucket)
        except _Told:
            return False
        return bool(found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled")

    def page(self, folder: str, after: tuple[str, str] = ("", "")) -> Page:
        """What lies below the folder, from behind that place in the order of the store."""
        behind = {"KeyMarker": self._prefix + after[0], "VersionIdMarker": after[1]} if after[0] else {}
        behind = {key: value for key, value in behind.items() if value}
        prefix = f"{self._prefix}{folder}/" if folder else self._prefix
        with self._asking():
            found = self._s3.list_object_versions(Bucket=self._bucket, Prefix=prefix, MaxKeys=PAGE, **behind)
        versions = self._versions(found)
        if not found.get("IsTruncated"):
            return Page(versions, ("", ""))
        return Page(versions, (self._inside(found["NextKeyMarker"]), found.get("NextVersionIdMarker", "")))

    def below(self, folder: str) -> Iterator[Version]:
        """All that lies below the folder."""
        after = ("", "")
        while True:
            page = self.page(folder, after)
            yield from page.versions
            if not page.after[0]:
                return
            after = page.after

    def of(self, path: str) -> list[Version]:
        """The versions of the object at the path, the newest first."""
        return [each for each in self.beginning_with(path) if each.path == path]

    def beginning_with(self, path: str) -> list[Version]:
        """Versions of objects whose paths begin like this, as many as one page has."""
        with self._asking():
            found = self._s3.list_object_versions(Bucket=self._bucket, Prefix=self._prefix + path, MaxKeys=PAGE)
        return self._versions(found)

    def write_locked(self, path: str, data: bytes, until: datetime) -> str:
        """Store a small object that nobody can delete until then; the ID of the version."""
        lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        md5 = b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()  # Amazon wants it with a lock
        with self._asking():
            done = self._s3.put_object(Bucket=self._bucket, Key=self._prefix + path, Body=data, ContentMD5=md5, **lock)
        return str(done.get("VersionId", ""))

    def lock(self, version: Version, until: datetime) -> None:
        """Have nobody be able to delete the version until then, or a later time if it was locked for longer."""
        retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        try:
            with self._asking(tells=REFUSES):
                self._s3.put_object_retention(**self._one(version), Retention=retention)
        except _Told as told:  # a lock that is longer cannot be shortened; a key that may not is told the same
            locked = self.locked_until(version)
            if locked is None or locked < until:
                raise StorageRefused(f"{self.name} does not let objects be locked.") from told

    def locked_until(self, version: Version) -> datetime | None:
        """Until when nobody can delete the version; None when it is not locked, or not in such a way."""
        try:
            with self._asking(tells=NO_RETENTION):
                found = self._s3.get_object_retention(**self._one(version))["Retention"]
        except _Told:
            return None
        return found["RetainUntilDate"] if found.get("Mode") == "COMPLIANCE" else None

    def sha256(self, version: Version) -> str:
        """The digest (lower-case hexadecimal) of the version, as read."""
        digest = hashlib.sha256()
        with self._asking():
            body = self._s3.get_object(**self._one(version))["Body"]
            for chunk in body.iter_chunks(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def bring_forward(self, version: Version, to: str) -> None:
        """Make a copy of the version be what lies at `to`, in one step; locked, where the region has object lock."""
        source = {"Bucket": self._bucket, "Key": self._prefix + version.path, "VersionId": version.id}
        with self._asking():
            done = self._s3.copy_object(Bucket=self._bucket, Key=self._prefix + to, CopySource=source)
        if self.lock_days:  # apart: some stores give a copy the lock of its source, whatever they are asked for
            copied = replace(version, path=to, id=str(done.get("VersionId", "")))
            self.lock(copied, timezone.now() + timedelta(days=self.lock_days))

    def erase(self, version: Version) -> None:
        """Delete the version, or marker, for good. Raises VersionLocked while the store keeps it."""
        try:
            with self._asking(tells=REFUSES):
                self._s3.delete_object(**self._one(version))
        except _Told as told:
            until = None if version.marker else self.locked_until(version)
            if until is None or until < timezone.now():  # then it is the key that may not
                raise StorageRefused(f"{self.name} denies access.") from told
            raise VersionLocked(f"{self.name} keeps {version.path} until its lock ends.") from told

    def _one(self, version: Version) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + version.path, "VersionId": version.id}

    def _inside(self, key: str) -> str:
        return key.removeprefix(self._prefix)

    def _versions(self, found: Mapping[str, Any]) -> list[Version]:
        """In the order of the store, which gives versions and markers apart."""
        versions = [self._version(each, marker=False) for each in found.get("Versions", [])]
        versions += [self._version(each, marker=True) for each in found.get("DeleteMarkers", [])]
        return sorted(versions, key=lambda each: (each.path.encode(), not each.latest, -each.modified.timestamp()))

    def _version(self, found: Mapping[str, Any], *, marker: bool) -> Version:
        return Version(
            path=self._inside(found["Key"]),
            id=found["VersionId"],
            size=found.get("Size", 0),
            modified=found["LastModified"],
            latest=found["IsLatest"],
            marker=marker,
        )

    @contextmanager
    def _asking(self, tells: frozenset[str] = frozenset()) -> Iterator[None]:
        """Say what goes wrong in our words; raises _Told for the answers that tell something."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            if _code(error) in tells:
                raise _Told from error
            raise self._trouble(error) from error
        except (BotoCoreError, OSError) as error:
            log.warning("Region %s: no answer from the store (%s).", self.name, type(error).__name__)
            raise StorageUnavailable(f"{self.name} is not responding.") from error

    def _trouble(self, error: "ClientError") -> StorageError:
        log.warning("Region %s: %s", self.name, error)
        if _code(error) in DENIED:
            return StorageRefused(f"{self.name} denies access.")
        if _code(error) == "NoSuchBucket":
            return StorageRefused(f"{self.name} does not have the bucket {self._bucket}.")
        return StorageUnavailable(f"{self.name} is not working.")


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@lru_cache(maxsize=16)
def _client(options: tuple[tuple[str, str], ...]) -> Any:  # noqa: ANN401 - botocore makes it at run time
    """A client by rclone's options of a remote, safe to share between threads."""
    import botocore.session
    from botocore.config import Config

    given = dict(options)
    virtual = given.get("force_path_style", "true").lower() == "false"
    config = Config(
        connect_timeout=CONNECT,
        read_timeout=READ,
        retries={"mode": "standard", "max_attempts": 2},
        max_pool_connections=16,
        s3={"addressing_style": "virtual" if virtual else "path"},
        # Other stores than Amazon's do not know the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    endpoint = given.get("endpoint", "")
    if endpoint and "://" not in endpoint:
        endpoint = f"https://{endpoint}"
    keys = {
        "aws_access_key_id": given.get("access_key_id") or None,
        "aws_secret_access_key": given.get("secret_access_key") or None,
        "aws_session_token": given.get("session_token") or None,
    }
    return botocore.session.Session().create_client(
        "s3", region_name=given.get("region") or "us-east-1", endpoint_url=endpoint or None, config=config, **keys
    )
