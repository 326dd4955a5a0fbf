"""The installers under wine: installed silently, set up against a real portal, used, and taken away again.

What wine cannot show is listed in docs/installing.md: the Task Scheduler, VSS, access lists, the system's own account,
UAC, SmartScreen and Defender.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import contents
from tests.e2e.ready import credentials
from tests.waiting import wait_for
from tests.windows.wine import PROGRAMS, Wine

PROGRAM = PROGRAMS / "strongroom-agent.exe"
REFUSED = 2
FILES = 20


def install_exe(wine: Wine, installers: dict[str, Path]) -> None:
    wine.must(installers["installer"], "/S")


def uninstall_exe(wine: Wine, installers: dict[str, Path]) -> None:
    """It copies itself elsewhere and goes on there, so its first process says nothing of the end."""
    wine.must(PROGRAMS / "uninstall.exe", "/S")
    wait_for("the uninstaller to be done", lambda: not wine.here(PROGRAMS).exists())


def install_msi(wine: Wine, installers: dict[str, Path]) -> None:
    wine.must("msiexec", "/i", wine.there(installers["msi"]), "/qn")


def uninstall_msi(wine: Wine, installers: dict[str, Path]) -> None:
    wine.must("msiexec", "/x", wine.there(installers["msi"]), "/qn")


WAYS = {"installer": (install_exe, uninstall_exe), "msi": (install_msi, uninstall_msi)}


def protected(wine: Wine) -> Path:
    """Something to protect, of names that are awkward."""
    place = wine.drive / "protected" / "Zahlenwerk Ä"
    place.mkdir(parents=True)
    for number in range(FILES):
        (place / f"file {number}.bin").write_bytes(bytes([number]) * 50_000 * number)
    return wine.drive / "protected"


def set_up(wine: Wine, credential: Path, name: str, *more: str, status: int = 0) -> dict[str, Any]:
    """What the whole of an unattended setup answers."""
    (wine.drive / "given.VaultCredentials").write_bytes(credential.read_bytes())
    return wine.agent(
        *("setup", "--unattended", "--credentials", r"C:\given.VaultCredentials", "--name", name),
        *("--install-dir", str(PROGRAMS), "--cache-dir", r"C:\ProgramData\strongroom-cache"),
        *("--protect", r"C:\protected", "--generate-passphrase", "--save-passphrase-to", r"C:\passphrase.txt"),
        *more,
        status=status,
    )


@pytest.mark.parametrize("kind", WAYS)
def test_from_installation_to_removal(
    kind: str, wine: Wine, installers: dict[str, Path], staff: ApiPerson, vault: str, tmp_path: Path
) -> None:
    install, uninstall = WAYS[kind]
    before = wine.search_path()
    install(wine, installers)
    assert wine.installed()
    assert [part.rstrip("\\") for part in wine.search_path()] == [*before, str(PROGRAMS)]
    laid = {path for path in wine.here(PROGRAMS).rglob("*") if path.is_file()}

    kept = protected(wine)
    done = set_up(wine, credentials(staff, vault, tmp_path), f"windows-{kind}", "--no-fs-snapshot")
    assert done["program"] == str(PROGRAM)
    assert done["on_path"] == str(PROGRAM)
    assert done["restore_check"]["proven"] == done["restore_check"]["compared"] == FILES
    assert done["schedule"]["kind"] == "windows", done["schedule"]
    assert wine.here(r"C:\passphrase.txt").read_text().strip()

    (kept / "new").write_bytes(b"since then")
    assert wine.agent("backup")["files"] == FILES + 1
    assert len(wine.agent("snapshots")["snapshots"]) == 2
    assert wine.agent("check")["ok"] is True
    assert wine.agent("schedule", "show")["when"]
    assert wine.agent("status")["machine"]["name"] == f"windows-{kind}"
    wine.agent("restore", "--target", r"C:\restored")
    assert contents(wine.drive / "restored" / "C" / "protected") == contents(kept)
    assert {path for path in wine.here(PROGRAMS).rglob("*") if path.is_file()} == laid, "It wrote beside itself."

    uninstall(wine, installers)
    assert not wine.here(PROGRAMS).exists()
    assert not wine.installed()
    assert wine.search_path() == before
    state = (
        wine.here(r"C:\users") / wine.must("cmd", "/c", "echo %USERNAME%").strip() / "AppData/Local/strongroom-agent"
    )
    assert (state / "identity.json").is_file(), "What the machine keeps is gone."


def test_an_administrator_reads_from_vss_unless_told_otherwise(
    wine: Wine, installers: dict[str, Path], staff: ApiPerson, vault: str, tmp_path: Path
) -> None:
    """Wine has no VSS, and this restic says so: that it was asked for it is what is seen here."""
    install_exe(wine, installers)
    protected(wine)
    answer = set_up(wine, credentials(staff, vault, tmp_path), "windows-vss", status=1)
    assert "VSS" in answer["message"]


def test_a_later_version_takes_the_place_of_this_one(wine: Wine, installers: dict[str, Path], newer: Path) -> None:
    install_exe(wine, installers)
    wine.must(newer, "/S")
    assert not (wine.here(PROGRAMS) / "packages/typing_extensions.py").exists()
    assert (wine.here(PROGRAMS) / "packages/of_the_newer_version.py").is_file()
    assert wine.search_path().count(str(PROGRAMS)) == 1
    assert "99.0.0" in wine.must(
        "reg",
        "query",
        r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall\strongroom-agent",
        "/v",
        "DisplayVersion",
    )


def test_another_folder_is_taken_and_left_as_asked(wine: Wine, installers: dict[str, Path]) -> None:
    wine.must(installers["installer"], "/S", r"/D=C:\Our Tools\agent")
    assert wine.must(r"C:\Our Tools\agent\strongroom-agent.exe", "--version").startswith("strongroom-agent ")
    (wine.drive / "Our Tools/agent/mine.txt").write_text("mine")
    wine.must(r"C:\Our Tools\agent\uninstall.exe", "/S")
    left = wine.drive / "Our Tools/agent"
    wait_for("the uninstaller to be done", lambda: [path.name for path in left.iterdir()] == ["mine.txt"])


def test_a_folder_with_files_of_others_is_refused(wine: Wine, installers: dict[str, Path]) -> None:
    others = wine.drive / "others"
    others.mkdir()
    (others / "theirs.txt").write_text("theirs")
    assert wine.run(installers["installer"], "/S", r"/D=C:\others").returncode == REFUSED
    assert [path.name for path in others.iterdir()] == ["theirs.txt"]
    assert not wine.installed()


@pytest.mark.parametrize("kind", WAYS)
def test_older_systems_are_refused(kind: str, wine: Wine, installers: dict[str, Path]) -> None:
    wine.must("winecfg", "-v", "win7")
    silent = {"installer": (installers[kind], "/S"), "msi": ("msiexec", "/i", wine.there(installers[kind]), "/qn")}
    assert wine.run(*silent[kind]).returncode != 0
    assert not wine.here(PROGRAMS).exists()
    assert not wine.installed()


def test_a_signature_is_one_that_holds(tree: Path, tmp_path: Path) -> None:
    """By a certificate made now, which no Windows believes: that is up to whoever has one that it does."""
    from deploy.agents.windows.__main__ import pack
    from deploy.agents.windows.signed import Certificate

    key, certificate, both, password = (tmp_path / name for name in ("key", "certificate", "both.p12", "password"))
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test", "-days", "2"]
    extended = ["-addext", "extendedKeyUsage=codeSigning", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *extended], check=True, capture_output=True)
    password.write_text("secret")
    pair = ["openssl", "pkcs12", "-export", "-inkey", str(key), "-in", str(certificate), "-out", str(both)]
    subprocess.run([*pair, "-passout", f"file:{password}"], check=True)
    (tmp_path / "signed").mkdir()
    files = pack(tree, tmp_path / "signed", certificate=Certificate(both, password), quick=True)
    for file in files.values():
        told = subprocess.run(
            ["osslsigncode", "verify", "-CAfile", str(certificate), "-in", str(file)], capture_output=True, text=True
        )
        assert told.returncode == 0, told.stdout + told.stderr
        assert "Number of verified signatures: 1" in told.stdout
