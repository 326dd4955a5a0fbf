"""The command `schedule`, and what setup and unregister do about it."""

from pathlib import Path

import pytest
from strongroom_agent.core import surroundings
from strongroom_agent.schedule import names
from strongroom_agent.setup import on_path

from tests.client.world import World

from .recorder import Recorder

pytestmark = pytest.mark.system


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, in the place of /usr/local/bin."""
    folder, find = tmp_path / "bin", surroundings.find_program
    monkeypatch.setattr(on_path, "_folder", lambda: folder)
    # Whatever lies on the PATH of this machine, perhaps put there by another test, is none of ours.
    monkeypatch.setattr(surroundings, "find_program", lambda name: None if name == "strongroom-agent" else find(name))
    return folder


def test_setup_installs_the_schedule_and_the_link(world: World, scheduler: Recorder, path: Path) -> None:
    ran = world.setup("--schedule")
    assert ran.status == 0, ran
    program = world.root / "program" / "strongroom-agent"
    (entry,) = scheduler.entries.values()
    assert (entry.name, entry.program, entry.home) == (names.of(world.home), str(program), world.home)
    assert entry.environment["STRONGROOM_AGENT_HOME"] == str(world.home)
    told = ran.answer["schedule"]
    assert (told["kind"], told["when"], told["every_hours"]) == ("recorder", str(entry.calendar), 24)
    assert entry.calendar.hour < 6
    assert (path / "strongroom-agent").samefile(program)
    assert ran.answer["on_path"] == str(path / "strongroom-agent")
    assert world.peer.heartbeats[-1]["schedule"] == {"every_hours": 24}

    assert world.run("schedule", "weekly", "sun", "04:00").answer["schedule"]["when"] == "weekly Sun 04:00"
    assert world.peer.heartbeats[-1]["schedule"] == {"every_hours": 168}
    again = world.setup("--schedule")
    assert again.answer["schedule"]["when"] == "weekly Sun 04:00"  # what was chosen stays
    assert "schedule" not in {word for word in again.progress.split() if word == "note:"}

    left = world.run("unregister")
    assert (left.status, scheduler.entries) == (0, {})


def test_a_second_home_takes_nobodys_place(world: World, scheduler: Recorder, path: Path, tmp_path: Path) -> None:
    path.mkdir()
    (path / "strongroom-agent").write_text("#!/bin/sh\n")
    ran = world.setup("--schedule")
    assert (ran.status, ran.answer["on_path"]) == (0, None)
    assert f"{path / 'strongroom-agent'} is another program and was left as it is" in ran.answer["message"]
    assert (path / "strongroom-agent").read_text() == "#!/bin/sh\n"


def test_without_a_scheduler_setup_goes_well_and_says_so(world: World, scheduler: Recorder, path: Path) -> None:
    scheduler.why_not = "It is a test."
    ran = world.setup("--schedule")
    assert (ran.status, ran.answer["ok"], ran.answer["schedule"]["kind"]) == (0, True, "none")
    assert "Install and start cron" in ran.answer["schedule"]["remedy"]
    assert "Nothing on this machine starts programs at set times: It is a test." in ran.answer["message"]
    assert world.peer.heartbeats == [] or world.peer.heartbeats[-1]["schedule"] is None
    refused = world.run("schedule", "daily", "01:00")
    assert (refused.status, refused.answer["code"]) == (1, "no_scheduler")


def test_show_off_and_what_is_gone(ready: World, scheduler: Recorder) -> None:
    shown = ready.run("schedule")
    assert (shown.status, shown.answer["schedule"]["kind"], shown.answer["schedule"]["active"]) == (0, "none", False)
    assert ready.run("schedule", "daily", "03:07").answer["schedule"]["active"] is True
    scheduler.entries.clear()
    broken = ready.run("schedule", "show").answer
    assert (broken["schedule"]["active"], broken["schedule"]["remark"]) == (False, "It is gone.")
    assert broken["remedy"] == "Run strongroom-agent schedule daily 03:07 to install it again."
    off = ready.run("schedule", "off")
    assert (off.status, off.answer["schedule"]["kind"]) == (0, "none")
    assert ready.peer.heartbeats[-1]["schedule"] is None
    assert ready.run("schedule", "off").status == 0
    assert ready.run("schedule", "off", "now").answer["code"] == "usage"


def test_options_are_kept_and_changed_one_by_one(ready: World, scheduler: Recorder) -> None:
    first = ready.run("schedule", "--exclude", "*.tmp", "--limit-upload", "900", "--after", "echo a-secret-word")
    assert first.status == 0, first
    assert "a-secret-word" not in str(first.answer)
    changed = ready.run("schedule", "--limit-upload", "0").answer["options"]
    assert (changed["exclude"], changed["limit_upload"], changed["after"]) == (["*.tmp"], 0, True)
    ended = ready.run("schedule", "--no-exclude", "--after", "").answer["options"]
    assert (ended["exclude"], ended["after"]) == ([], False)
    for wrong in (["--exclude", "["], ["--limit-upload", "-1"], ["--limit-upload", "fast"], ["--command-minutes", "0"]):
        assert ready.run("schedule", *wrong).answer["code"] == "usage"
    assert ready.run("schedule", "--use-fs-snapshot").answer["code"] == "usage"
    assert ready.run("schedule", "--exclude-file", "/nowhere").answer["code"] == "exclude_file_unusable"
    assert ready.run("schedule").answer["options"] == ended
