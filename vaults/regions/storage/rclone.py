"""Regions through rclone's remote control, over HTTP on a unix socket.

The remote `<slug>:` of rclone's configuration is the region's root, so neither places nor secrets are in what we send.
"""

import logging
import os
import re
import ssl
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import httpx
from django.conf import settings

from vaults.models import Region
from vaults.regions.storage.base import (
    Entry,
    ObjectMissing,
    RegionStorage,
    Space,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)

log = logging.getLogger(__name__)
QUICK = httpx.Timeout(5, connect=2)  # seconds; for what moves no data to speak of
LONG = httpx.Timeout(150, connect=2)  # for hashing or copying a batch
AT_ONCE = 4  # objects of a batch that rclone works on side by side
READ_LIMIT = 64 * 1024
# Object stores keep the time of upload themselves; asking for more costs a request for each object.
SERVER_TIMES = {"UseServerModTime": True}
# Same size and time do not mean same content: what is copied may be to replace what a disk has damaged.
ALWAYS = {"IgnoreTimes": True}
KEEPING = {"IgnoreExisting": True}
# What rclone says when it is the source of a copy that does not work.
FROM_SOURCE = re.compile(r"open source|source object|failed to read", re.I)

# What rclone says about troubles that last until somebody acts, and how we say it.
LASTING = (
    (re.compile(r"find section in config|unknown.*backend|couldn't find type", re.I), "is not set up"),
    (re.compile(r"no space left|quota|insufficient storage|disk full", re.I), "has no space left"),
    (re.compile(r"InvalidStorageClass", re.I), "does not accept the configured storage class"),
    (
        re.compile(
            r"permission denied|access ?denied|forbidden|read-only|unauthori[sz]ed|InvalidAccessKey|Signature", re.I
        ),
        "denies access",
    ),
    # What an object store with a wrong key looks like to rclone, too.
    (
        re.compile(r"not a directory", re.I),
        "denies access, or has a file in the place of a folder",
    ),
)


def region_storage(region: Region) -> RegionStorage:
    """The storage of the region."""
    return RcloneRegion(region.slug, region.name)


class RcloneRegion(RegionStorage):
    """A region that rclone reaches as the remote `<slug>:`; `name` is what people call it."""

    def __init__(self, slug: str, name: str) -> None:
        self._slug = slug
        self.name = name

    @property
    def slug(self) -> str:
        """The region's slug."""
        return self._slug

    @property
    def _fs(self) -> str:
        return f"{self._slug}:"

    def make_container(self, path: str) -> None:
        """Make the folder or bucket; harmless when it exists."""
        self._call("operations/mkdir", fs=self._fs, remote=path)

    def remove_container(self, path: str) -> None:
        """Remove the folder if it is empty; harmless when it is not there, or is no longer empty."""
        if path in {"", "/"}:
            raise ValueError("a region's root is not removed")
        parent, _, name = path.rpartition("/")
        if any(entry.name == name for entry in self.entries(parent)) and not self.entries(path):
            self._call("operations/rmdir", fs=self._fs, remote=path)

    def write(self, path: str, data: bytes) -> None:
        """Store a small object, replacing what is there."""
        folder, _, name = path.rpartition("/")
        self._post(
            "operations/uploadfile",
            params={"fs": self._fs, "remote": folder},
            files={"file": (name, data, "application/octet-stream")},
        )

    def read(self, path: str) -> bytes:
        """A small object (at most 64 KiB of it); raises ObjectMissing."""
        found = bytearray()
        try:
            with _client().stream("GET", f"/[{self._fs}]/{path}", timeout=QUICK) as answer:
                if answer.status_code == 404:
                    raise ObjectMissing(f"{self.name} does not have {path}.")
                if answer.status_code != 200:
                    raise self.trouble(answer.read().decode(errors="replace"), answer.status_code)
                for chunk in answer.iter_bytes():
                    found += chunk
                    if len(found) >= READ_LIMIT:
                        break
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        return bytes(found[:READ_LIMIT])

    def delete(self, path: str) -> None:
        """Remove an object; harmless when it is not there."""
        try:
            self._call("operations/deletefile", fs=self._fs, remote=path)
        except ObjectMissing:
            return

    def entries(self, path: str) -> list[Entry]:
        """What lies directly in the folder, in no order; empty when there is no such folder."""
        options = {"noMimeType": True}
        try:
            found = self._call("operations/list", fs=self._fs, remote=path, opt=options, _config=SERVER_TIMES)
        except ObjectMissing:
            return []
        return [_entry(item) for item in found["list"]]

    def tree(self, path: str) -> list[Entry]:
        """All objects below the folder, at whatever depth, named by their paths from it; empty when there is none."""
        options = {"noMimeType": True, "filesOnly": True, "recurse": True}
        request = {"fs": self._fs, "remote": path, "opt": options, "_config": SERVER_TIMES}
        try:
            found = self._post("operations/list", json=request, timeout=LONG)
        except ObjectMissing:
            return []
        return [_entry(item, item["Path"].removeprefix(f"{path}/")) for item in found["list"]]

    def entry(self, path: str) -> Entry | None:
        """The object at the path; None when there is none."""
        options = {"noMimeType": True, "filesOnly": True}
        found = self._call("operations/stat", fs=self._fs, remote=path, opt=options, _config=SERVER_TIMES)
        return _entry(found["item"]) if found["item"] else None

    def sha256(self, paths: Sequence[str]) -> dict[str, str]:
        """The digests (lower-case hexadecimal) of the objects as stored, left out for those that are gone."""
        # `download` has rclone read the object, rather than believe what the storage keeps as its digest.
        inputs = [
            {
                "_path": "operations/hashsumfile",
                "fs": self._fs,
                "remote": path,
                "hashType": "sha256",
                "download": True,
            }
            for path in paths
        ]
        results = self._batch(inputs)
        return {path: result["hash"] for path, result in zip(paths, results, strict=True) if result is not None}

    def copy_to(self, other: RegionStorage, paths: Iterable[str], *, keep: Collection[str] = ()) -> set[str]:
        """Copy objects to the same paths of `other`, each replacing what is there in one step, when it is whole.

        Those in `keep` replace nothing. Gives those that are gone here; a trouble names the region that has it.
        """
        inputs = [
            {
                "_path": "operations/copyfile",
                "srcFs": self._fs,
                "srcRemote": path,
                "dstFs": f"{other.slug}:",
                "dstRemote": path,
                "_config": KEEPING if path in keep else ALWAYS,
            }
            for path in paths
        ]
        results = self._batch(inputs, to=other)
        return {str(wanted["srcRemote"]) for wanted, result in zip(inputs, results, strict=True) if result is None}

    def copy(self, path: str, to: str) -> None:
        """Copy an object within the region; raises ObjectMissing."""
        parameters = {"srcFs": self._fs, "srcRemote": path, "dstFs": self._fs, "dstRemote": to}
        self._post("operations/copyfile", json=parameters, timeout=LONG)

    def move(self, path: str, to: str) -> None:
        """Move an object within the region; raises ObjectMissing."""
        try:
            self._call("operations/movefile", fs=self._fs, srcFs=self._fs, srcRemote=path, dstFs=self._fs, dstRemote=to)
        except StorageUnavailable:
            if self.entry(path) is None:  # somebody moved it after rclone had looked: an error of the disk, no 404
                raise ObjectMissing(f"{self.name} does not have the requested object.") from None
            raise

    def space(self) -> Space | None:
        """How much there is and how much is free; None when the storage cannot tell."""
        if not self._call("operations/fsinfo", fs=self._fs)["Features"]["About"]:
            return None
        about = self._call("operations/about", fs=self._fs)
        if "total" not in about or "free" not in about:
            return None
        return Space(total=int(about["total"]), free=int(about["free"]))

    def stores_whole(self) -> bool:
        """Whether uploads appear whole or not at all, as in object stores; a disk has halves of them."""
        features = self._call("operations/fsinfo", fs=self._fs)["Features"]
        return bool(features["BucketBased"]) and not features["PartialUploads"]

    def keeps_folders(self) -> bool:
        """Whether an empty folder stays, as on a disk; most object stores have none without objects in them."""
        return bool(self._call("operations/fsinfo", fs=self._fs)["Features"]["CanHaveEmptyDirectories"])

    def _batch(
        self, inputs: Sequence[Mapping[str, object]], *, to: RegionStorage | None = None
    ) -> list[dict[str, Any] | None]:
        """The answers in order, None for each object that is gone; raises for any other trouble.

        What goes wrong on the way to another region is that region's, unless rclone says that it was the source.
        """
        if not inputs:
            return []
        answer = self._post("job/batch", json={"concurrency": AT_ONCE, "inputs": list(inputs)}, timeout=LONG)
        results: list[dict[str, Any] | None] = []
        for result in answer["results"]:
            if "error" not in result:
                results.append(result)
            elif result.get("status") == 404:
                results.append(None)
            else:
                text = str(result["error"])
                whose = self if to is None or FROM_SOURCE.search(text) else to
                raise whose.trouble(text, int(result.get("status", 500)))
        return results

    def _call(self, command: str, **parameters: object) -> dict[str, Any]:
        return self._post(command, json=parameters)

    def _post(self, command: str, *, timeout: httpx.Timeout = QUICK, **request: Any) -> dict[str, Any]:
        try:
            answer = _client().post(f"/{command}", timeout=timeout, **request)
            body = answer.json()
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        except ValueError as error:
            raise StorageUnavailable(f"{self.name} returned an invalid response.") from error
        if answer.status_code != 200:
            raise self.trouble(str(body.get("error", "")), answer.status_code)
        return body  # type: ignore[no-any-return]

    def trouble(self, text: str, status: int) -> StorageError:
        """What rclone says, as an error of ours; `text` goes to the log, never to people."""
        if status == 404:
            return ObjectMissing(f"{self.name} does not have the requested object.")
        log.warning("Region %s: %s", self._slug, text[:500])
        for pattern, what in LASTING:
            if pattern.search(text):
                return StorageRefused(f"{self.name} {what}.")
        return StorageUnavailable(f"{self.name} is not working.")

    def _silent(self, error: httpx.HTTPError) -> StorageUnavailable:
        log.warning("Region %s: no answer from rclone (%s).", self._slug, type(error).__name__)
        return StorageUnavailable(f"{self.name} is not responding.")


def _entry(item: Mapping[str, Any], name: str = "") -> Entry:
    return Entry(
        name=name or item["Name"],
        size=item["Size"],
        modified=datetime.fromisoformat(item["ModTime"]),
        is_folder=item["IsDir"],
    )


_making = threading.Lock()


def _client() -> httpx.Client:
    with _making:  # threads that are first at once would each make one
        return _client_of(settings.STORAGE_SOCKET, os.getpid())


@lru_cache
def _client_of(socket: str, process: int) -> httpx.Client:
    # One for each process: connections must not be shared across a fork.
    # The bare TLS context is never used on a unix socket, and saves loading the system's certificates.
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    transport = httpx.HTTPTransport(uds=socket, verify=bare, limits=httpx.Limits(max_connections=8))
    return httpx.Client(transport=transport, base_url="http://rclone", trust_env=False)
