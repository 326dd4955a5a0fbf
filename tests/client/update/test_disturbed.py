"""Updates that are disturbed: the machine runs the old version or the new one, whole, and the next update goes on."""

import hashlib
import os
import random
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from tests.long import LONG
from tests.waiting import wait_for

from .fleet import NEW, NEWER, OLD, Updating, kill

pytestmark = pytest.mark.system
KILLING = Path(__file__).with_name("killing.py")
KILLS = 50 if LONG else 4
"""How often it is killed at random moments, and at how many of the changes to names."""


class TestDownloads:
    def test_one_that_breaks_off_goes_on_where_it_was(self, machine: Updating) -> None:
        said = machine.publish()
        machine.world.peer.faults.cuts = [100_000, 30_000]
        status, answer = machine.run("update")
        assert (status, answer["code"], machine.version) == (0, "updated", NEW), answer
        path = f"/agents/files/{said['files'][0]['name']}"
        asked = [what for what, where in machine.world.peer.requests if where == path]
        assert asked == ["", "bytes=100000-", "bytes=130000-"]

    def test_one_that_never_ends_is_gone_on_with_by_the_next_update(self, machine: Updating) -> None:
        machine.publish()
        machine.world.peer.faults.cuts = [200_000, 0, 0, 0]
        status, answer = machine.run("update")
        assert (status, answer["code"], machine.version) == (4, "network", OLD)
        assert machine.memory["state"] == "waiting"  # a network that is away is no failure of the version
        machine.world.peer.requests.clear()
        assert machine.run("update")[1]["code"] == "updated"
        assert [what for what, where in machine.world.peer.requests if "/agents/files/" in where] == ["bytes=200000-"]

    def test_the_rest_of_another_file_is_no_help(self, machine: Updating) -> None:
        """A part is kept under the digest of the whole; what was put there by a fault is found by it."""
        said = machine.publish()
        folder = machine.place / ".strongroom-agent"
        folder.mkdir()
        (folder / f"{said['files'][0]['sha256']}.part").write_bytes(b"x" * 5000)
        (folder / f"{'0' * 64}.part").write_bytes(b"of a release before")
        assert machine.run("update")[1]["code"] == "update_damaged"
        assert list(folder.glob("*.part")) == []
        assert machine.run("update")[1]["code"] == "updated"


class TestBrokenVersions:
    def test_one_that_does_not_start(self, machine: Updating) -> None:
        def change(tree: Path) -> None:
            (tree / "strongroom-agent").write_text("#!/bin/sh\necho oh no >&2\nexit 7\n")

        machine.publish(NEW, machine.signers.archive(NEW, "that does not start", change))
        status, answer = machine.run("update")
        assert (status, answer["code"], machine.version) == (1, "update_broken", OLD)
        assert "exit status 7; oh no" in answer["message"]
        assert machine.versions == []
        machine.run("status")
        assert machine.heard()[-1] == ("failed", NEW, "update_broken")
        # Why the release was paused is still to be seen then.
        machine.world.peer.release = {**(machine.world.peer.release or {}), "take": False, "why": "it is paused."}
        assert machine.run("update")[1]["code"] == "update_not_staged"
        assert machine.run("status")[1]["update"]["code"] == "update_broken"

    def test_one_that_does_not_reach_the_portal(self, machine: Updating) -> None:
        def change(tree: Path) -> None:
            (client,) = tree.glob("python/lib/*/site-packages/strongroom_agent/portal/client.py")
            client.write_text(client.read_text().replace('"application/jose"', '"application/text"'))

        machine.publish(NEW, machine.signers.archive(NEW, "that is not heard", change))
        status, answer = machine.run("update")
        assert (status, answer["code"], machine.version) == (1, "update_broken", OLD)
        assert "with it, Portal is not well" in answer["message"]

    def test_one_that_fails_in_its_place_is_gone_back_from(self, machine: Updating) -> None:
        """All is well where it is tried first; started under the name that people use, it fails."""

        def change(tree: Path) -> None:
            program = tree / "strongroom-agent"
            start, rest = program.read_text().split("\n", 1)
            program.write_text(f"{start}\ncase $0 in */.strongroom-agent/*) ;; *) exit 3 ;; esac\n{rest}")

        machine.publish(NEW, machine.signers.archive(NEW, "that fails in its place", change))
        status, answer = machine.run("update")
        assert (status, answer["code"], machine.version) == (1, "update_broken", OLD), answer
        assert (machine.place / "python").is_dir()
        # From a version that an update had brought it goes back to that one.
        machine.publish(NEW)
        assert machine.run("update")[1]["code"] == "updated"
        machine.publish(NEWER, machine.signers.archive(NEWER, "that fails in its place", change))
        assert machine.run("update")[1]["code"] == "update_broken"
        assert machine.version == NEW

    def test_by_itself_it_is_not_tried_again_until_a_week_has_gone(self, machine: Updating) -> None:
        machine.publish(NEW, machine.signers.archive(NEW, "empty", lambda tree: shutil.rmtree(tree / "python")))
        assert machine.run("update")[1]["code"] == "update_broken"
        machine.world.peer.requests.clear()
        machine.run("backup", "--scheduled")
        assert [each for each in machine.world.peer.requests if "/agents/files/" in each[1]] == []
        assert machine.memory["code"] == "update_broken"
        machine.publish(NEWER)  # the next release is another matter
        machine.run("backup", "--scheduled")
        assert machine.version == NEWER


class TestSchedule:
    def test_after_the_backup_the_scheduled_run_updates(self, backed_up: Updating) -> None:
        backed_up.publish()
        status, answer = backed_up.run("backup", "--scheduled")
        assert (status, backed_up.version) == (0, NEW), answer
        assert backed_up.heard()[-1] == ("updated", NEW, "")

    def test_a_backup_that_fails_keeps_no_update_away(self, backed_up: Updating) -> None:
        """It may be what mends it."""
        backed_up.publish()
        shutil.rmtree(backed_up.world.source)
        status, _ = backed_up.run("backup", "--scheduled")
        assert (status, backed_up.version) == (1, NEW)

    def test_an_update_that_fails_is_no_failure_of_the_run(self, backed_up: Updating) -> None:
        backed_up.publish(serial=1)
        backed_up.shows({})
        status, answer = backed_up.run("backup", "--scheduled")
        assert (status, answer["ok"], backed_up.version) == (0, True, OLD)
        assert backed_up.heard()[-1] == ("failed", "", "update_not_signed")

    def test_where_updates_are_off_it_only_says_that_one_waits(self, backed_up: Updating) -> None:
        backed_up.publish()
        answer = backed_up.run("schedule", "--no-update")[1]
        assert answer["options"]["update"] is False
        assert "only by strongroom-agent update" in answer["message"]
        backed_up.run("backup", "--scheduled")
        assert backed_up.version == OLD
        assert backed_up.heard()[-1] == ("waiting", NEW, "")
        assert backed_up.run("schedule", "--update")[1]["options"]["update"] is True
        backed_up.run("backup", "--scheduled")
        assert backed_up.version == NEW


def test_two_at_once(machine: Updating) -> None:
    machine.publish()
    started = [machine.start("update") for _ in range(2)]
    answers = [process.communicate(timeout=120)[0] for process in started]
    codes = sorted(next(word for word in ("updated", "busy", "up_to_date") if f'"{word}"' in each) for each in answers)
    assert codes in (["busy", "updated"], ["up_to_date", "updated"])
    assert machine.version == NEW


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk of its own")
@pytest.mark.parametrize("left", [None, 64 << 10, -1000], ids=["before", "while it is laid", "while it is fetched"])
def test_a_full_disk(machine: Updating, left: int | None) -> None:
    """Told before anything is fetched; or, where it fills up meanwhile, when it does: nothing is left behind. `left`:
    how much more than the file finds room."""
    said = machine.publish()
    length = said["files"][0]["size"]
    needed = length * 7 // 2**20 + 17
    used = sum(path.lstat().st_size for path in machine.place.rglob("*")) // 2**20 + 2
    size = used + (needed // 2 if left is None else needed + 40)
    kept = machine.place.rename(machine.world.root / "kept")
    machine.place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=755", "none", machine.place], check=True)
    try:
        shutil.copytree(kept, machine.place, symlinks=True, dirs_exist_ok=True)
        if left is not None:
            machine.world.peer.faults.before_file = partial(_fill, machine.place, length + left)
        status, answer = machine.run("update")
        assert (status, answer["code"]) == (1, "no_room" if left is None else "disk_full"), answer
        assert machine.version == OLD
        assert machine.versions == []
        known = machine.memory
        assert (known["state"], known["code"], known["broken"]) == ("failed", answer["code"], "")
        if left is not None:
            machine.world.peer.faults.before_file = None
            (machine.place / "filler").unlink()
            assert machine.run("update")[1]["code"] == "updated"
            assert machine.version == NEW
    finally:
        subprocess.run(["umount", "--lazy", machine.place], check=True)


def _fill(place: Path, leave: int) -> None:
    """Take all of the disk but so many bytes."""
    with (place / "filler").open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(place).free - leave)))


def goes_on(machine: Updating) -> None:
    """It runs, old or new; and the next update brings the new one, and leaves nothing of what was cut short."""
    assert machine.version in (OLD, NEW)
    status, answer = machine.run("update")
    assert (status, answer["code"]) in ((0, "updated"), (0, "up_to_date")), answer
    assert machine.version == NEW
    assert machine.memory["state"] in ("updated", "")
    assert sorted(path.name for path in machine.place.iterdir() if path.name.startswith(".")) == [
        ".strongroom-agent",
        ".strongroom-agent.previous",
    ]
    assert machine.versions == [NEW]
    assert list((machine.place / ".strongroom-agent").glob("*.part")) == []


def reset(machine: Updating, installed: Path) -> None:
    """Version OLD again, as setup has installed it."""
    shutil.rmtree(machine.place)
    shutil.copytree(installed, machine.place, symlinks=True)
    (machine.world.home / "update.json").unlink(missing_ok=True)


def test_killed_at_random_moments(machine: Updating, installed: Path) -> None:
    machine.publish()
    begun = time.monotonic()
    assert machine.run("update")[1]["code"] == "updated"
    lasts = time.monotonic() - begun
    chance = random.Random(7)  # noqa: S311 - moments, no secrets
    for _ in range(KILLS):
        reset(machine, installed)
        process = machine.start("update")
        moment = time.monotonic() + chance.uniform(0.2, 1.1) * lasts
        wait_for("the moment", partial(_over, moment), seconds=60, pause=0.01)
        kill(process)
        goes_on(machine)


def _over(moment: float) -> bool:
    return time.monotonic() > moment


def test_killed_at_each_change_of_a_name(machine: Updating, installed: Path, tmp_path: Path) -> None:
    """Before and after everything that renames, links or deletes, from the first to the last."""
    planted = shutil.copytree(installed, tmp_path / "planted", symlinks=True)
    (library,) = planted.glob("python/lib/*/site-packages")
    shutil.copy(KILLING, library / "killing.py")
    (library / "killing.pth").write_text("import killing\n")
    machine.publish()
    for _ in range(2):  # the first time more is made that stays, such as folders of the state
        (machine.world.root / "counted").unlink(missing_ok=True)
        reset(machine, planted)
        assert machine.run("update")[1]["code"] == "updated"
    changes = (machine.world.root / "counted").read_text().splitlines()
    points = [f"{number} {when}" for number in range(1, len(changes) + 1) for when in ("before", "after")]
    ours = [each for each in points if _of_the_switch(changes[int(each.split()[0]) - 1])]
    assert len(ours) >= 10, changes
    chance = random.Random(7)  # noqa: S311 - points, no secrets
    # Some of the switch each time; of the others, a share.
    chosen = points if LONG else [*chance.sample(ours, 4), *chance.sample(points, KILLS)]
    for point in chosen:
        reset(machine, planted)
        (machine.world.root / "kill-at").write_text(point)
        process = machine.start("update")
        process.communicate(timeout=120)
        (machine.world.root / "kill-at").unlink()
        assert process.returncode == -9, point
        goes_on(machine)


def _of_the_switch(change: str) -> bool:
    return ".strongroom-agent.new" in change or "update.json" in change


def test_what_is_fetched_is_what_was_signed(machine: Updating) -> None:
    """The new program's bytes are those of the archive."""
    machine.publish()
    assert machine.run("update")[1]["code"] == "updated"
    (signed,) = (machine.signers.folder / f"{NEW}-").glob("strongroom-agent")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (machine.program, signed)]
    assert digests[0] == digests[1]
