"""Installed, set up against a real portal, upgraded and removed in bare systems that have no Python.

A room shares the network of this machine, so that the portal is at localhost there too.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from strongroom_agent import __version__

from deploy.agents import room
from deploy.agents.room import Room
from tests.api_person import ApiPerson
from tests.e2e.ready import credentials
from tests.packages import NEWER

SYSTEMS = ("bullseye", "bookworm", "trixie")
PROGRAM = "/opt/strongroom-agent/strongroom-agent"
# What apt and dpkg themselves remember, and what is a machine's own and stays.
REMEMBERED = "/proc /sys /dev /run /tmp /root /protected /var/lib/dpkg /var/lib/apt /var/log /var/cache"


@contextmanager
def bare(suite: str, *, updates: bool = False) -> Iterator[Room]:
    """A room without Python and restic, which finds localhost, with something to protect."""
    with room.bare(suite, updates=updates) as system:
        assert system.run("sh", "-c", "command -v python3 restic || true") == ""
        (system.root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        (system.root / "protected").mkdir()
        for number in range(20):
            (system.root / "protected" / f"file-{number}").write_bytes(bytes([number]) * 100_000)
        yield system


def brought(system: Room, path: Path) -> str:
    """The file's path in the room, where it is now too."""
    shutil.copy(path, system.root / "root" / path.name)
    return f"/root/{path.name}"


def set_up(system: Room, program: str, credential: Path, name: str) -> dict[str, Any]:
    """What the whole of an unattended setup answers."""
    command = [program, "setup", "--unattended", "--credentials", brought(system, credential), "--name", name]
    folders = ["--install-dir", "/opt/strongroom-agent", "--cache-dir", "/var/cache/strongroom-agent"]
    secret = ["--generate-passphrase", "--save-passphrase-to", "/root/passphrase", "--json"]
    return agent(system, *command, *folders, "--protect", "/protected", *secret)


def agent(system: Room, *command: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(system.run(*command, online=True))
    assert answer["ok"] is True
    return answer


def files(system: Room) -> set[str]:
    """All that lies in the room but what is remembered."""
    left_out = " -o ".join(f"-path {path}" for path in REMEMBERED.split())
    return set(system.run("sh", "-c", f"find / \\( {left_out} \\) -prune -o -print").splitlines())


@pytest.mark.parametrize("suite", SYSTEMS)
def test_the_deb_from_installation_to_removal(
    suite: str, packages: dict[str, Path], newer: dict[str, Path], staff: ApiPerson, vault: str, tmp_path: Path
) -> None:
    with bare(suite) as system:
        before = files(system)
        system.run("apt-get", "-qq", "-y", "install", brought(system, packages["deb"]))
        assert system.run("strongroom-agent", "--version") == f"strongroom-agent {__version__}\n"
        done = set_up(system, "strongroom-agent", credentials(staff, vault, tmp_path), f"deb-{suite}")
        assert done["program"] == PROGRAM
        assert done["restore_check"]["proven"] == done["restore_check"]["compared"] == 20

        system.run("apt-get", "-qq", "-y", "install", brought(system, newer["deb"]))
        assert system.run("dpkg-query", "-W", "-f", "${Version}", "strongroom-agent") == f"{NEWER}-1"
        agent(system, "strongroom-agent", "backup", "--json")
        agent(system, "strongroom-agent", "check", "--json")

        system.run("apt-get", "-qq", "-y", "purge", "strongroom-agent")
        assert files(system) - before == set()
        assert before - files(system) <= {"/opt"}, "dpkg takes away a folder that nothing else is in, and no more."
        assert (system.root / "root/.config/strongroom-agent").is_dir(), "What the machine keeps is gone."


@pytest.mark.parametrize("suite", SYSTEMS)
def test_the_archive_installs_itself_as_a_whole(
    suite: str, packages: dict[str, Path], staff: ApiPerson, vault: str, tmp_path: Path
) -> None:
    with bare(suite) as system:
        system.run("tar", "-xzf", brought(system, packages["archive"]), "-C", "/root", "--no-same-owner")
        done = set_up(
            system, "/root/strongroom-agent/strongroom-agent", credentials(staff, vault, tmp_path), f"archive-{suite}"
        )
        assert done["program"] == PROGRAM
        shutil.rmtree(system.root / "root/strongroom-agent")
        agent(system, PROGRAM, "backup", "--json")


def test_the_rpm_unpacked(packages: dict[str, Path], staff: ApiPerson, vault: str, tmp_path: Path) -> None:
    """On the oldest system: what dnf does with it is not tried, there is none here."""
    with bare(SYSTEMS[0], updates=True) as system:
        system.install("libarchive-tools")
        system.run("bsdtar", "-xf", brought(system, packages["rpm"]), "-C", "/")
        done = set_up(system, "/usr/bin/strongroom-agent", credentials(staff, vault, tmp_path), "rpm")
        assert done["program"] == PROGRAM
        agent(system, "strongroom-agent", "check", "--json")
