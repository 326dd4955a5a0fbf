"""What the agent's packages are made from, and which systems they run on: parts that need no compiling."""

import hashlib
import re
import shutil
import sys
from pathlib import Path

import pytest

from deploy.agents import debian, packed, pins, symbols

INPUT = b"an archive"


@pytest.fixture
def pin(monkeypatch: pytest.MonkeyPatch) -> pins.Pin:
    """An input that Debian does not have."""

    def unavailable(package: str, sha256: str, folder: Path) -> Path:
        raise debian.Unavailable("there is no apt.")

    monkeypatch.setattr(debian, "source", unavailable)
    digest = hashlib.sha256(INPUT).hexdigest()
    return pins.Pin("thing", "1.0", digest, "MIT", "https://example.org", "LICENSE", debian="thing")


def test_every_input_is_pinned() -> None:
    found = pins.pins()
    assert set(found) == {"python", "openssl", "zlib", "restic"}
    given: list[pins.Pin | pins.Fixes] = [*found.values()]
    given += [pin.fixes for pin in found.values() if pin.fixes]
    assert all(re.fullmatch(r"[0-9a-f]{64}", each.sha256) and each.version for each in given)
    assert len({each.sha256 for each in given}) == len(given)
    assert tuple(map(int, found["openssl"].version.split("."))) >= (3, 5)
    assert tuple(map(int, found["restic"].version.split("."))) >= (0, 18)


def test_a_given_file_is_taken_if_it_is_the_pinned_one(
    pin: pins.Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").write_bytes(INPUT)
    monkeypatch.setenv("STRONGROOM_INPUT_THING", str(tmp_path / "mine"))
    taken = pins.get(pin, tmp_path / "kept")
    assert taken.read_bytes() == INPUT
    monkeypatch.delenv("STRONGROOM_INPUT_THING")
    assert pins.get(pin, tmp_path / "kept") == taken


def test_a_given_file_that_is_another_is_refused(
    pin: pins.Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").write_bytes(b"something else")
    monkeypatch.setenv("STRONGROOM_INPUT_THING", str(tmp_path / "mine"))
    with pytest.raises(pins.NoInput, match=f"pinned is {pin.sha256}"):
        pins.get(pin, tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_kept_file_that_was_changed_is_not_used(pin: pins.Pin, tmp_path: Path) -> None:
    (tmp_path / pin.sha256).write_bytes(b"changed")
    with pytest.raises(
        pins.NoInput, match=r"there is no apt\.\nGive a path or address of it in STRONGROOM_INPUT_THING"
    ):
        pins.get(pin, tmp_path)


def test_the_versions_of_symbols_are_read() -> None:
    told = "0x0010: Name: GLIBC_2.2.5  Flags: none\n0x0020: Name: GLIBC_2.34  Version: 4\n GLIBC_PRIVATE GCC_3.0"
    assert symbols.versions(told) == {(2, 2), (2, 34)}
    told = " 0x1 (NEEDED)  Shared library: [libc.so.6]\n 0x1 (NEEDED) Shared library: [libssl.so.3]\n 0xf (RPATH) [x]"
    assert symbols.needed(told) == {"libc.so.6", "libssl.so.3"}


def test_a_program_for_newer_systems_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(Path(sys.executable).resolve(), tmp_path / "program")
    monkeypatch.setattr(symbols, "_OF_THE_SYSTEM", symbols.needed(symbols._readelf("--dynamic", tmp_path / "program")))
    newest = max(symbols.versions(symbols._readelf("--version-info", tmp_path / "program")))
    monkeypatch.setattr(symbols, "NEWEST_ALLOWED", newest)
    assert symbols.check(tmp_path) == newest
    monkeypatch.setattr(symbols, "NEWEST_ALLOWED", (2, newest[1] - 1))
    with pytest.raises(symbols.Misfit, match=rf"program asks for glibc {newest[0]}\.{newest[1]}\."):
        symbols.check(tmp_path)


def test_a_library_that_no_system_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(Path(sys.executable).resolve(), tmp_path / "program")
    monkeypatch.setattr(symbols, "NEWEST_ALLOWED", (99, 0))
    monkeypatch.setattr(symbols, "_OF_THE_SYSTEM", set())
    with pytest.raises(symbols.Misfit, match=r"program needs .*libc\.so\.6"):
        symbols.check(tmp_path)
    with pytest.raises(symbols.Misfit, match="There is no program"):
        symbols.check(tmp_path / "nothing")


def test_the_same_folder_gives_the_same_packages(tmp_path: Path) -> None:
    """Whoever packs it, when, and with whatever umask."""
    made = []
    for name, mode in (("first", 0o755), ("second", 0o700)):
        tree = tmp_path / name / "strongroom-agent"
        (tree / "licences").mkdir(parents=True, mode=mode)
        for path in (tree / "strongroom-agent", tree / "restic", tree / "licences" / "README"):
            path.write_text(f"#!/bin/sh\necho {path.name}\n")
            path.chmod(mode if path.parent == tree else 0o600 | (mode & 0o044))
        output = tmp_path / name / "packages"
        output.mkdir()
        made.append({kind: path.read_bytes() for kind, path in packed.pack(tree, output, "1.2.3").items()})
    assert made[0] == made[1]
    assert set(made[0]) == set(packed.FORMATS)
