"""What each scheduler is given, and that it keeps and gives back exactly that."""

import datetime as clock
import plistlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strongroom_agent.schedule import calendar, cron, launchd, names, systemd, windows
from strongroom_agent.schedule.scheduler import Entry
from strongroom_agent.state.home import platform_folder

from tests.waiting import wait_for

ENTRY = Entry(
    "strongroom-agent",
    calendar.parse(["weekly", "mon,thu", "02:07"]),
    "/opt/a 100% $HOME \"quoted\" 'folder'/strongroom-agent",
    Path("/root/.config/strongroom-agent"),
    "/usr/local/bin:/usr/bin",
    "/opt/restic",
)
lines = st.lists(st.binary().map(lambda raw: raw.replace(b"\n", b"") + b"\n"), max_size=6).map(b"".join)


class TestNames:
    def test_each_state_folder_has_its_own(self, tmp_path: Path) -> None:
        assert names.of(platform_folder()) == "strongroom-agent"
        found = {names.of(tmp_path / name) for name in ("a", "b", "a b", "x/a", "ä")}
        assert len(found) == 5
        assert all(each.startswith("strongroom-agent-") and each.isascii() and len(each) < 64 for each in found)
        (tmp_path / "a").mkdir()
        (tmp_path / "link").symlink_to("a")
        assert names.of(tmp_path / "link") == names.of(tmp_path / "a")


class TestSystemd:
    def test_the_timer_and_the_service(self) -> None:
        timer, service = systemd.units(ENTRY).values()
        assert "\nOnCalendar=Mon,Thu *-*-* 02:07:00\nOnCalendar=*-*-* *:07:00\n" in timer
        assert "\nPersistent=true\n" in timer
        program = r'"/opt/a 100%% $$HOME \"quoted\" ' + "'folder'/strongroom-agent\""
        assert f"\nExecStart=/usr/bin/env {program} backup --scheduled\n" in service
        assert '\nEnvironment="STRONGROOM_AGENT_HOME=/root/.config/strongroom-agent"\n' in service
        assert '\nEnvironment="RESTIC=/opt/restic"\n' in service

    @pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
    @pytest.mark.parametrize("words", ["daily 00:00", "weekly sun,sat 23:59"])
    def test_systemd_takes_them(self, tmp_path: Path, words: str) -> None:
        program = tmp_path / "a %h $PATH \"q\" 'q'"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        entry = replace(ENTRY, calendar=calendar.parse(words.split()), program=str(program), home=tmp_path / "ä b")
        for name, text in systemd.units(entry).items():
            (tmp_path / name).write_text(text)
        files = [str(tmp_path / name) for name in systemd.units(entry)]
        done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
        said = [line for line in (done.stdout + done.stderr).splitlines() if str(tmp_path) in line]
        assert (done.returncode, said) == (0, [])
        spec = ["systemd-analyze", "calendar", systemd.on_calendar(entry.calendar)]
        assert subprocess.run(spec, capture_output=True, check=False).returncode == 0


class TestCron:
    @given(lines)
    def test_what_others_have_in_the_table_stays_byte_for_byte(self, table: bytes) -> None:
        once = cron.with_block(table, ENTRY)
        assert once.startswith(table)
        assert cron.with_block(once, ENTRY) == once
        other = replace(ENTRY, name="strongroom-agent-other")
        both = cron.with_block(once, other)
        assert cron.without_block(both, ENTRY.name) == cron.with_block(table, other)
        assert cron.without_block(cron.without_block(both, other.name), ENTRY.name) == table
        moved = cron.with_block(both, replace(ENTRY, calendar=calendar.parse(["daily", "01:59"])))
        assert moved.count(b"\n59 * * * * ") == 1
        assert cron.without_block(moved, ENTRY.name) == cron.with_block(table, other)

    @pytest.mark.parametrize("percent", ["%", "\\%"])
    def test_the_line_means_to_a_shell_what_it_should(self, tmp_path: Path, percent: str) -> None:
        """Some crons make a plain percent sign of an escaped one, others leave it as it is."""
        program = tmp_path / "a 100% $HOME \"q\" 'q'"
        program.write_text('#!/bin/sh\nprintf "%s|" "$0" "$@" "$STRONGROOM_AGENT_HOME" >"$STRONGROOM_AGENT_HOME/out"\n')
        program.chmod(0o755)
        home = tmp_path / "h%me"
        home.mkdir()
        line = cron.line(replace(ENTRY, program=str(program), home=home, path="/usr/bin:/bin")).decode()
        assert line.startswith("7 * * * * ")
        subprocess.run(["/bin/sh", "-c", line.removeprefix("7 * * * * ").replace("\\%", percent)], check=True)
        assert (home / "out").read_text().split("|")[:4] == [str(program), "backup", "--scheduled", str(home)]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This user's real table of cron, as it was before."""
    before = subprocess.run(["crontab", "-l"], capture_output=True, check=False)
    yield
    command = ["crontab", "-"] if before.returncode == 0 else ["crontab", "-r"]
    subprocess.run(command, input=before.stdout, check=False, capture_output=True)


@pytest.mark.long
@pytest.mark.system
@pytest.mark.skipif(not shutil.which("crontab") or not shutil.which("cron"), reason="cron is not installed")
class TestRealCron:
    def test_a_real_cron_starts_the_program(self, table: None, tmp_path: Path) -> None:
        """cron starts what is due in the first minute after the one in which it was started."""
        program = tmp_path / "agent 100%"
        program.write_text('#!/bin/sh\necho "$@" >"$STRONGROOM_AGENT_HOME/started"\n')
        program.chmod(0o755)
        others = b"# of somebody else\n0 5 * * * true % x\n"
        subprocess.run(["crontab", "-"], input=others, check=True)
        soon = clock.datetime.now().astimezone() + clock.timedelta(seconds=65)
        when = calendar.parse(["daily", f"{soon:%H:%M}"])
        entry = replace(ENTRY, calendar=when, program=str(program), home=tmp_path)
        scheduler = cron.Cron()
        assert scheduler.trouble(entry.name) != ""
        scheduler.install(entry)  # cron overlooks a change in the second in which it has read the table
        daemon = subprocess.Popen(["cron", "-f"])
        try:
            wait_for("cron", lambda: scheduler.lacking() == "")
            assert scheduler.trouble(entry.name) == ""
            wait_for("the program", (tmp_path / "started").exists, seconds=140)
            wait_for("its words", (tmp_path / "started").read_text)
            assert (tmp_path / "started").read_text() == "backup --scheduled\n"
            scheduler.remove(entry.name)
            scheduler.remove(entry.name)
        finally:
            daemon.terminate()
            daemon.wait(10)
        assert subprocess.run(["crontab", "-l"], capture_output=True, check=True).stdout == others


class TestWindows:
    def test_the_task(self) -> None:
        text = windows.task(replace(ENTRY, home=Path("/C&D <x>")), "HR\\jo&e")
        tree = ET.fromstring(text.split("?>", 1)[1])  # noqa: S314 - our own
        space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
        found = {
            path: tree.findtext(f".//t:{path}", namespaces=space)
            for path in (
                "UserId",
                "LogonType",
                "StartWhenAvailable",
                "MultipleInstancesPolicy",
                "Interval",
                "Arguments",
            )
        }
        assert (tree.findtext(".//t:StartBoundary", namespaces=space) or "").endswith("T02:07:00")
        assert found["UserId"] == "HR\\jo&e"
        assert (found["LogonType"], found["StartWhenAvailable"]) == ("S4U", "true")
        assert (found["MultipleInstancesPolicy"], found["Interval"]) == ("IgnoreNew", "PT1H")
        assert 'set "STRONGROOM_AGENT_HOME=/C&D <x>" && ' in str(found["Arguments"])
        assert str(found["Arguments"]).endswith(f'"{ENTRY.program}" backup --scheduled"')

    def test_for_the_system_itself_nobody_signs_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("USERNAME", "HOST$")
        assert "S-1-5-18" in windows.task(ENTRY, windows._user())
        assert "LogonType" not in windows.task(ENTRY, windows._user())


class TestLaunchd:
    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such users")
    def test_the_list(self) -> None:
        found = plistlib.loads(launchd.property_list(ENTRY))
        assert found["ProgramArguments"] == [ENTRY.program, "backup", "--scheduled"]
        assert found["StartCalendarInterval"] == {"Minute": 7}
        assert found["EnvironmentVariables"] == ENTRY.environment
