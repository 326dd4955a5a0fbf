"""The seam to storage, on the real rclone."""

import hashlib
import socket
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.at_once import at_once
from tests.vaults.rclone_process import NO_SOCKET
from vaults.models import Region
from vaults.regions.storage import gateway, layout
from vaults.regions.storage.base import ObjectMissing, StorageRefused, StorageUnavailable
from vaults.regions.storage.rclone import RcloneRegion

A = RcloneRegion("local-a", "Local A")
B = RcloneRegion("local-b", "Local B")
UNKNOWN = RcloneRegion("nowhere", "Nowhere")
pytestmark = pytest.mark.usefixtures("storage")


def test_an_object_comes_back_as_it_was_stored() -> None:
    for data in (b"", b"text", bytes(range(256)) * 100):
        A.write("v/m/config", data)
        assert A.read("v/m/config") == data
        assert gateway.read_config("local-a", "Local A", "v/m") == data


def test_reading_stops_at_the_limit() -> None:
    A.write("v/m/config", b"x" * 200_000)
    assert len(A.read("v/m/config")) == 64 * 1024


def test_what_is_not_there() -> None:
    assert A.entries("v") == []
    for call in (lambda: A.read("v/m/config"), lambda: A.move("v/x", "v/y")):
        with pytest.raises(ObjectMissing):
            call()
    with pytest.raises(ObjectMissing):
        gateway.read_config("local-a", "Local A", "v/m")
    A.delete("v/m/config")
    A.remove_container("v")
    assert A.sha256(["v/x"]) == {}
    assert A.sha256([]) == {}
    assert A.copy_to(B, ["v/x"]) == {"v/x"}
    assert (A.entry("v/x"), A.tree("v")) == (None, [])


def test_containers(storage: Path) -> None:
    A.make_container("v")
    A.make_container("v")
    assert [(entry.name, entry.is_folder) for entry in A.entries("")] == [("v", True)]
    A.write("v/object", b"x")
    A.remove_container("v")
    assert [(entry.name, entry.size, entry.is_folder) for entry in A.entries("v")] == [("object", 1, False)]
    A.delete("v/object")
    A.remove_container("v")
    assert A.entries("") == []
    with pytest.raises(ValueError, match="root"):
        A.remove_container("")


def test_digests_copies_and_moves() -> None:
    contents = {f"v/m/data/{number}": str(number).encode() for number in range(10)}
    for path, data in contents.items():
        A.write(path, data)
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in contents.items()}
    assert A.sha256([*contents, "v/gone"]) == digests
    A.copy_to(B, contents)
    assert B.sha256(list(contents)) == digests
    A.move("v/m/data/0", "quarantine/v/0")
    assert A.sha256(["v/m/data/0", "quarantine/v/0"]) == {"quarantine/v/0": digests["v/m/data/0"]}


def test_of_many_who_move_the_same_object_one_does_and_the_others_miss_it() -> None:
    """rclone looks first and renames then: for who comes between, the disk answers, and not with a 404."""
    for number in range(100):
        path = f"v/m/index/{number}"
        A.write(path, b"x")
        outcomes = at_once([partial(A.move, path, f"trash/{number}-{who % 2}") for who in range(6)])
        assert sorted(map(type, outcomes), key=str) == sorted([type(None), *[ObjectMissing] * 5], key=str)


def test_space() -> None:
    space = A.space()
    assert space is not None
    assert 0 < space.free < space.total


def test_a_region_that_is_not_set_up_is_refused_for_good() -> None:
    for call in (lambda: UNKNOWN.make_container("v"), lambda: UNKNOWN.read("v"), lambda: UNKNOWN.sha256(["v"])):
        with pytest.raises(StorageRefused, match=r"^Nowhere is not set up\.$"):
            call()


def test_a_file_in_the_place_of_a_folder_is_refused_for_good(storage: Path) -> None:
    A.write("v", b"x")
    with pytest.raises(StorageRefused, match="in the place of a folder"):
        A.make_container("v/m")


@NO_SOCKET
def test_storage_that_is_away_is_a_trouble_that_passes(settings: Any, tmp_path: Path) -> None:
    settings.STORAGE_SOCKET = str(tmp_path / "nobody")
    settings.GATEWAY_SOCKET = str(tmp_path / "{region}")
    for call in (lambda: A.make_container("v"), lambda: A.read("v"), lambda: A.entries("")):
        with pytest.raises(StorageUnavailable, match="Local A is not responding"):
            call()
    with pytest.raises(StorageUnavailable, match="gateway of Local A is not responding"):
        gateway.read_config("local-a", "Local A", "v/m")


def test_storage_that_hangs_is_given_up_on(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STORAGE_SOCKET = str(tmp_path / "hung")
    monkeypatch.setattr("vaults.regions.storage.rclone.QUICK", 0.2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(settings.STORAGE_SOCKET)
        listener.listen()
        with pytest.raises(StorageUnavailable):
            A.read("v")


def test_messages_for_people_hold_nothing_of_what_rclone_said(caplog: pytest.LogCaptureFixture) -> None:
    error = A.trouble('s3: AccessDenied for "https://key@store.example/bucket"', 500)
    assert (type(error), str(error)) == (StorageRefused, "Local A denies access.")
    assert type(A.trouble("something new", 500)) is StorageUnavailable


def test_folders_and_objects_of_the_layout(regions: tuple[Region, Region]) -> None:
    vault, machine = "0" * 8 + "-0000" * 3 + "-" + "0" * 12, "1" * 8 + "-0000" * 3 + "-" + "0" * 12
    names = [f"{digit}{'0' * 63}" for digit in "ab"]
    for path in (*(f"data/{name[:2]}/{name}" for name in names), f"keys/{names[0]}", "keys/other", "config"):
        A.write(f"{vault}/{machine}/{path}", b"xy")
    A.write("stray/file", b"x")
    assert (layout.folders(A, ""), layout.folders(A, vault)) == ([vault], [machine])
    folder = f"{vault}/{machine}"
    assert [[item.name for item in found] for found in layout.objects(A, folder, "data")] == [[names[0]], [names[1]]]
    assert [[item.name for item in found] for found in layout.objects(A, folder, "keys")] == [[names[0]]]
    assert [list(found) for found in layout.objects(A, folder, "index")] == [[]]
    config = layout.config(A, folder)
    assert config is not None
    assert (config.path, config.size, layout.config(B, folder)) == (f"{folder}/config", 2, None)


def test_batches_are_bounded_by_number_and_size() -> None:
    when = datetime.now(UTC)
    small = [layout.Stored(f"v/{number}", 1, when) for number in range(70)]
    assert [len(batch) for batch in layout.batches(small)] == [32, 32, 6]
    large = [layout.Stored(f"v/{number}", 40 * 1024 * 1024, when) for number in range(3)]
    assert [len(batch) for batch in layout.batches(large)] == [1, 1, 1]
    assert list(layout.batches([])) == []
