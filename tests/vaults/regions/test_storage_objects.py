"""The seam on an object store: rclone serving a folder as S3, a region in a bucket of it beside one in a folder."""

import hashlib
import os
import socket
import subprocess
from collections.abc import Iterator

import pytest
from django.conf import settings as site

from tests.ports import free_port
from tests.vaults.rclone_process import RCLONE, running
from tests.waiting import wait_for
from vaults.regions import config_file
from vaults.regions.storage import gateway, rclone
from vaults.regions.storage.base import ObjectMissing, StorageRefused
from vaults.regions.storage.rclone import RcloneRegion

CLOUD = RcloneRegion("cloud", "Cloud")
DISK = RcloneRegion("disk", "Disk")
FILE = """
[[region]]
slug = "cloud"
name = "Cloud"
remote = "store:bucket/root"
pair = "disk"
[region.config]
type = "s3"
provider = "Rclone"
endpoint = "http://127.0.0.1:{port}"
access_key_id = "some-access-key"
secret_access_key = "some-secret-key"

[[region]]
slug = "locked"
name = "Locked"
remote = "keyless:bucket"
[region.config]
type = "s3"
provider = "Rclone"
endpoint = "http://127.0.0.1:{port}"
access_key_id = "some-access-key"
secret_access_key = "a-wrong-secret"

[[region]]
slug = "disk"
name = "Disk"
remote = "{folder}"
"""


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """An S3 server with one bucket; its port."""
    folder, port = tmp_path_factory.mktemp("store"), free_port()
    (folder / "bucket").mkdir()
    keys = ("--auth-key", "some-access-key,some-secret-key")
    command = [str(RCLONE), "serve", "s3", *keys, "--addr", f"127.0.0.1:{port}", str(folder), "-q"]
    with subprocess.Popen(command, env={**os.environ, "HOME": str(folder)}, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for("the object store", lambda: answers(port))
            yield port
        finally:
            process.kill()


@pytest.fixture(autouse=True, scope="module")
def served(store: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The storage process and the gateway of the region in the bucket, with a configuration of their own."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "disk").mkdir()
    (folder / "regions.toml").write_text(FILE.format(port=store, folder=folder / "disk"))
    config, rcd, gate = folder / "rclone.conf", folder / "rc", folder / "gate"
    config_file.write_rclone_config(config, config_file.read(folder / "regions.toml"))
    control = ("rcd", "--rc-no-auth", "--rc-serve", "--rc-addr", f"unix://{rcd}")
    machines = ("serve", "restic", "--append-only", "--cache-objects=false", "--addr", f"unix://{gate}", "cloud:")
    with (
        pytest.MonkeyPatch.context() as patch,
        running(*control, socket=rcd, config=config),
        running(*machines, socket=gate, config=config),
    ):
        patch.setattr(site, "STORAGE_SOCKET", str(rcd))
        patch.setattr(site, "GATEWAY_SOCKET", str(gate))
        yield
        rclone._client().close()


def test_an_object_comes_back_by_storage_and_by_the_gateway() -> None:
    CLOUD.make_container("v")
    CLOUD.write("v/m/config", b"probe")
    assert (CLOUD.read("v/m/config"), gateway.read_config("cloud", "Cloud", "v/m")) == (b"probe", b"probe")
    assert [(entry.name, entry.is_folder) for entry in CLOUD.entries("v")] == [("m", True)]
    CLOUD.delete("v/m/config")
    CLOUD.delete("v/m/config")
    CLOUD.remove_container("v/m")
    CLOUD.remove_container("v")
    assert CLOUD.entries("v") == []
    with pytest.raises(ObjectMissing):
        CLOUD.read("v/m/config")


def test_digests_copies_and_moves() -> None:
    data = b"an object"
    CLOUD.write("w/m/data/one", data)
    digest = hashlib.sha256(data).hexdigest()
    assert CLOUD.sha256(["w/m/data/one", "w/gone"]) == {"w/m/data/one": digest}
    CLOUD.copy_to(DISK, ["w/m/data/one"])
    assert DISK.read("w/m/data/one") == data
    CLOUD.copy("w/m/data/one", "quarantine/copy")
    CLOUD.move("w/m/data/one", "quarantine/one")
    there = CLOUD.sha256(["w/m/data/one", "quarantine/copy", "quarantine/one"])
    assert there == {"quarantine/copy": digest, "quarantine/one": digest}
    for call in (CLOUD.copy, CLOUD.move):
        with pytest.raises(ObjectMissing):
            call("w/m/data/one", "quarantine/two")
    CLOUD.write("w/m/data/one", b"damaged!!")
    DISK.copy_to(CLOUD, ["w/m/data/one"])
    assert CLOUD.read("w/m/data/one") == data


def test_a_bucket_does_not_know_its_space() -> None:
    assert CLOUD.space() is None


def test_a_wrong_key_is_refused_for_good() -> None:
    with pytest.raises(StorageRefused, match=r"^Locked denies access\.$"):
        RcloneRegion("locked", "Locked").write("v/m/config", b"x")
