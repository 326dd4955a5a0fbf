"""The drill: portal, database, edge and keys are gone, and everything comes back with stock restic, by what the
recovery kit says, typed as it stands there."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.api_person import ApiPerson
from tests.e2e.edge_world import World
from tests.e2e.machine import ROOT, Machine, contents, make_machine
from tests.e2e.people import SignIn
from tests.e2e.ready import active_vault, credentials, machine_id
from tests.portal_process import Portal, running
from tests.vaults.stores import KEY, SECRET, Store, seaweed

pytestmark = pytest.mark.system
LIMIT = 300  # seconds for what the kit has typed
ENGINES = {"ours": ROOT / ".venv" / "bin" / "restic", "debian": Path("/usr/bin/restic")}
REGIONS = """
[[region]]
slug = "local-a"
name = "Local A"
remote = "weed:bucket/the root"
pair = "local-b"
[region.config]
{weed}

[[region]]
slug = "local-b"
name = "Local B"
remote = "disk:{folder}"
[region.config]
type = "local"
"""


@dataclass
class Disaster:
    """What is left: the kit, the passphrase, the storage, and what was protected at each backup, by snapshot."""

    kit: str
    passphrase: str
    files: Path
    saved: dict[str, dict[str, bytes | str]]
    region_key: str
    rclone_conf: str

    def commands(self, region: str) -> list[str]:
        """What the kit has one type to restore from the region, in order: its indented lines there."""
        section = re.search(rf"^Restore from {region}\n-+\n(.*?)(?=^[^\n]+\n---)", self.kit, re.S | re.M)
        assert section, self.kit
        return [line.removeprefix("    ") for line in section[1].splitlines() if line.startswith("    ")]

    def repository(self, region: str) -> Path:
        """Where it lies in a region that is a folder."""
        (line,) = [each for each in self.commands(region) if "RESTIC_REPOSITORY" in each]
        return Path(line.partition("=")[2])

    def follow(self, region: str, folder: Path, engine: str) -> None:
        """Type it, and hear that all is whole."""
        done = self.typed(region, folder, engine)
        said = f"{self.commands(region)}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, said
        assert "NOT WHOLE" not in done.stdout, said
        assert "no errors were found" in done.stdout, said

    def typed(
        self, region: str, folder: Path, engine: str, *, beginning: str = "set -e"
    ) -> "subprocess.CompletedProcess[str]":
        """Type it, in an empty folder, where nothing of the portal or the agent is known."""
        folder.mkdir()
        for name, text in self._prepared().items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        programs = folder.parent / f"programs-{folder.name}"
        programs.mkdir()
        for name, program in {"restic": ENGINES[engine], "rclone": ROOT / ".venv" / "bin" / "rclone"}.items():
            (programs / name).symlink_to(program)
        return subprocess.run(
            ["/bin/sh", "-c", "\n".join([beginning, *self.commands(region)])],
            cwd=folder,
            env={"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(folder.parent)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def _prepared(self) -> Mapping[str, str]:
        """The files that the kit says to put there: the passphrase, and what administrators have."""
        return {"passphrase.txt": self.passphrase, "region-key": self.region_key, "rclone.conf": self.rclone_conf}

    def came_back(self, folder: Path) -> None:
        """Every backup, byte for byte, under the full path that files had; the newest one twice."""
        below = self.files.relative_to("/")
        assert {path.name for path in (folder / "all").iterdir()} == set(self.saved)
        for snapshot, there in self.saved.items():
            assert contents(folder / "all" / snapshot / below) == there, snapshot
        newest = list(self.saved)[-1]
        assert contents(folder / "newest" / below) == self.saved[newest]


def change(machine: Machine) -> None:
    """Some files are new, with names that are hard to type; some are changed, some are gone."""
    odd = machine.files / 'it\'s "odd" $HOME `x` *'
    odd.mkdir()
    for number, name in enumerate(("-rf", "a\nb", "tab\there", "\u202eright to left", " spaces ", "ü" * 100)):
        (odd / name).write_bytes(f"{number}".encode() * 10_000)
    Path(os.fsdecode(os.fsencode(odd) + b"/not utf-8 \xff")).write_bytes(b"bytes")
    (odd / "hole").touch()
    os.truncate(odd / "hole", 3_000_000)
    first, *_, last = sorted(path for path in machine.files.rglob("file*") if path.is_file())
    first.write_bytes(b"changed")
    last.unlink()


def backups(machine: Machine, credential: Path) -> dict[str, dict[str, bytes | str]]:
    """What was protected at each of three backups, by the snapshot's whole ID, the oldest first."""
    saved = {machine.setup(credential)["backup"]["snapshot"]: contents(machine.files)}
    change(machine)
    saved[machine.agent("backup")["snapshot"]] = contents(machine.files)
    shutil.rmtree(machine.files / "folder 1")
    saved[machine.agent("backup")["snapshot"]] = contents(machine.files)
    return saved


@contextmanager
def portal_in(weed: Store | None, folder: Path) -> Iterator[tuple[Portal, Callable[[], None]]]:
    """A portal with regions in folders, or with the first one in the store and the second behind rclone; and what makes
    an end of it, its database and its keys."""
    with ExitStack() as stack:
        environment = {}
        if weed:
            options = "\n".join(f'{name} = "{value}"' for name, value in weed.config.items())
            (folder / "regions.toml").write_text(REGIONS.format(weed=options, folder=folder / "second region"))
            environment["REGIONS_FILE"] = str(folder / "regions.toml")
        portal = stack.enter_context(running(**environment))

        def end() -> None:
            assert portal.stop(signal.SIGTERM) == 0
            for path in portal.data.iterdir():
                if path.name != "storage":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

        yield portal, end


@contextmanager
def disaster(folder: Path, weed: Store | None = None) -> Iterator[Disaster]:
    """A machine has made backups, its kit was kept, and then all but the regions was lost, the machine as well."""
    with portal_in(weed, folder) as (portal, end):
        with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
            vault = active_vault(portal, staff, "Ledger")
            machine = make_machine(folder, "hr-db-02", files=20, megabytes=3)
            saved = backups(machine, credentials(staff, vault, folder))
            portal.wait_for_copy(vault)
            page = f"/machines/{machine_id(staff, vault, 'hr-db-02')}/recovery-kit"
            kit = staff.client.get(f"{page}/file/").raise_for_status().text
        passphrase = Path(machine.agent("status")["passphrase_saved_to"]).read_text()
        left = Disaster(kit, passphrase, machine.files, saved, *_what_administrators_have(portal, weed))
        end()
        shutil.rmtree(machine.folder)
        yield left


def _what_administrators_have(portal: Portal, weed: Store | None) -> tuple[str, str]:
    """The region's key as a file for restic, and rclone's configuration."""
    if weed is None:
        return "", ""
    key = f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    return key, (portal.data / "rclone.conf").read_text()


def test_from_the_folders_of_both_regions(tmp_path: Path) -> None:
    with disaster(tmp_path) as left:
        for region in ("Local A", "Local B"):
            for engine in ENGINES:
                folder = tmp_path / f"{region} {engine}"
                left.follow(region, folder, engine)
                left.came_back(folder)

        # And where the first region has lost a pack, each command that needs it says so.
        packs = [path for path in (left.repository("Local A") / "data").rglob("*") if path.is_file()]
        max(packs, key=lambda path: path.stat().st_size).unlink()
        done = left.typed("Local A", tmp_path / "damaged", "ours", beginning="")
        assert done.returncode != 0  # of the check, which is the last
        assert "NOT WHOLE" in done.stdout


def test_from_an_object_store_with_its_key_and_through_rclone(tmp_path: Path) -> None:
    """The first region is a bucket, which restic reads itself; the second is one that only rclone knows."""
    (tmp_path / "weed").mkdir()
    with seaweed(tmp_path / "weed") as weed, disaster(tmp_path, weed) as left:
        assert any("s3:" in line for line in left.commands("Local A"))
        assert any("rclone:" in line for line in left.commands("Local B"))
        assert SECRET not in left.kit
        for region in ("Local A", "Local B"):
            for engine in ENGINES:
                folder = tmp_path / f"{region} {engine}"
                left.follow(region, folder, engine)
                left.came_back(folder)


COLOURS = """() => [document.documentElement, document.body, ...document.querySelectorAll(".kit, .kit *")].map(
    (each) => `${getComputedStyle(each).backgroundColor} ${getComputedStyle(each).color}`)"""


def test_it_is_printed_black_on_white_without_the_frame(world: World, sign_in: SignIn) -> None:
    staff = sign_in("staff")
    staff.go(f"/machines/{world.owner}/")
    staff.page.get_by_role("link", name="Recovery kit").click()
    expect(staff.page.get_by_role("heading", name="Recovery kit for owner")).to_be_visible()
    staff.check()
    staff.page.emulate_media(media="print", color_scheme="dark")
    for gone in (".top", ".side", ".docked", ".crumbs", ".actions", ".on-screen"):
        expect(staff.page.locator(gone)).to_be_hidden()
    expect(staff.page.get_by_role("heading", name="Restore from Local B")).to_be_visible()
    assert set(staff.page.evaluate(COLOURS)) == {"rgb(255, 255, 255) rgb(0, 0, 0)"}


def test_it_needs_no_scripts(world: World, browser: Browser, sign_in: SignIn, tmp_path: Path) -> None:
    cookies = sign_in("staff").context.cookies()
    with closing(browser.new_context(java_script_enabled=False, accept_downloads=True)) as context:
        context.add_cookies(cookies)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"{world.portal.portal_url}/machines/{world.owner}/recovery-kit/")
        expect(page.get_by_text("restic --no-lock check --read-data").first).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download as text").click()
        assert download.value.suggested_filename.endswith(".txt")
        download.value.save_as(tmp_path / "kit.txt")
    assert (
        f"export RESTIC_REPOSITORY={world.portal.data}/storage/local-b/{world.vault}/{world.owner}"
        in (tmp_path / "kit.txt").read_text()
    )
