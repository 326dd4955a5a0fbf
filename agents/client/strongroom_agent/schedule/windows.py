"""The Task Scheduler of Windows, by an XML file that schtasks takes. Its text is tested; it has not run on Windows."""

import os
import tempfile
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

from .scheduler import ARGUMENTS, JITTER_MINUTES, Entry, ask, must

_SYSTEM = "S-1-5-18"
_LONG_AGO = date(2024, 1, 1)
_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Author>strongroom-agent</Author>
    <Description>Strongroom backup of this machine; removed by strongroom-agent schedule off.</Description>
  </RegistrationInfo>
  <Triggers>
    <CalendarTrigger>
      <StartBoundary>{start}</StartBoundary>
      <Enabled>true</Enabled>
      <Repetition>
        <Interval>PT1H</Interval>
        <Duration>P1D</Duration>
      </Repetition>
      <RandomDelay>PT{jitter}M</RandomDelay>
      <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>
    </CalendarTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId>
      {logon}<RunLevel>HighestAvailable</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>8</Priority>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{shell}</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


class TaskScheduler:
    """A task in the Task Scheduler's root folder."""

    kind = "windows"
    jitter = True

    def lacking(self) -> str:
        """It is always there."""
        return ""

    def install(self, entry: Entry) -> str:
        """Make the task, in the place of the one before."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "task.xml"
            file.write_text(task(entry, _user()), encoding="utf-16")
            must("schtasks", "/Create", "/TN", entry.name, "/XML", str(file), "/F")
        return ""

    def remove(self, name: str) -> None:
        """Delete the task, if it is there."""
        if ask("schtasks", "/Query", "/TN", name).returncode == 0:
            must("schtasks", "/Delete", "/TN", name, "/F")

    def trouble(self, name: str) -> str:
        """A task that is gone."""
        return "" if ask("schtasks", "/Query", "/TN", name).returncode == 0 else f"The task {name} is gone."


def task(entry: Entry, user: str) -> str:
    """The task as XML. A task knows no variables of its own, so the shell sets them; for SYSTEM nobody signs in."""
    variables = " && ".join(f'set "{name}={value}"' for name, value in entry.environment.items())
    command = f'{variables} && "{entry.program}" {" ".join(ARGUMENTS)}'
    calendar = entry.calendar
    return _TASK.format(
        start=f"{_LONG_AGO.isoformat()}T{calendar.hour:02}:{calendar.minute:02}:00",
        jitter=JITTER_MINUTES,
        user=escape(user),
        logon="" if user == _SYSTEM else "<LogonType>S4U</LogonType>\n      ",
        shell=escape(os.environ.get("COMSPEC", r"C:\Windows\System32\cmd.exe")),
        arguments=escape(f'/d /s /c "{command}"'),
    )


def _user() -> str:
    """Who runs this, as the task names people; the system's own account by its number, which no language changes."""
    name, domain = os.environ.get("USERNAME", ""), os.environ.get("USERDOMAIN", "")
    if not name or name.endswith("$"):
        return _SYSTEM
    return f"{domain}\\{name}" if domain else name
