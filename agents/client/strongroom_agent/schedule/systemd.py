"""systemd: a timer and a service, the system's for root, else the user's own."""

import contextlib
import os
import pwd
from pathlib import Path

from .calendar import DAYS, Calendar
from .scheduler import ARGUMENTS, JITTER_MINUTES, Entry, ask, is_root, must

RUNNING = Path("/run/systemd/system")
SYSTEM = Path("/etc/systemd/system")
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "%": "%%"}
_ENV = "/usr/bin/env"  # systemd itself starts no program with quotes or a dollar in its path
_TIMER = """\
# Written by strongroom-agent, and removed by strongroom-agent schedule off.
[Unit]
Description=When Strongroom backs up this machine ({name})

[Timer]
# The backup, and each hour a sign of life; what was missed while the machine was off is made up for.
OnCalendar={when}
OnCalendar=*-*-* *:{minute:02}:00
RandomizedDelaySec={jitter}min
AccuracySec=1s
Persistent=true
Unit={name}.service

[Install]
WantedBy=timers.target
"""
_SERVICE = """\
# Written by strongroom-agent, and removed by strongroom-agent schedule off.
[Unit]
Description=Strongroom backup of this machine ({name})
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
{environment}
ExecStart={command}
TimeoutStartSec=infinity
TimeoutStopSec=2min
KillMode=mixed
UMask=0077
Nice=10
IOSchedulingClass=idle
CPUSchedulingPolicy=batch
# Nothing here may hide a file from a backup, or keep a restore check and your own commands from their work: so no file
# system of its own (ProtectSystem=, PrivateTmp=, ProtectKernelModules= and their kind), and set-user-ID files as usual.
LockPersonality=yes
RestrictRealtime=yes
"""


class Systemd:
    """Timers of systemd."""

    kind = "systemd"
    jitter = True

    def lacking(self) -> str:
        """It must be running, and for a user there must be a manager of theirs."""
        if not RUNNING.is_dir():
            return "systemd is not running here."
        if not is_root() and not (_runtime() / "systemd").is_dir():
            return f"systemd has no manager for this user ({_runtime()} is not there)."
        return ""

    def install(self, entry: Entry) -> str:
        """Write both units and start the timer."""
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for name, text in units(entry).items():
                (folder / name).write_text(text, encoding="utf-8")
                (folder / name).chmod(0o644)
            _systemctl("daemon-reload")
            _systemctl("enable", f"{entry.name}.timer")
            _systemctl("restart", f"{entry.name}.timer")
        except BaseException:
            with contextlib.suppress(Exception):
                self.remove(entry.name)
            raise
        return "" if is_root() else _about_linger()

    def remove(self, name: str) -> None:
        """Stop the timer and delete both units; a backup that is on goes on."""
        ask("systemctl", *_whose(), "disable", "--now", f"{name}.timer", environment=_environment())
        for each in (f"{name}.timer", f"{name}.service"):
            (_folder() / each).unlink(missing_ok=True)
        _systemctl("daemon-reload")
        stamp = Path("/var/lib/systemd/timers" if is_root() else Path.home() / ".local/share/systemd/timers")
        (stamp / f"stamp-{name}.timer").unlink(missing_ok=True)

    def trouble(self, name: str) -> str:
        """Units that are gone, or a timer that is not on."""
        for each in (f"{name}.timer", f"{name}.service"):
            if not (_folder() / each).is_file():
                return f"{_folder() / each} is gone."
        done = ask("systemctl", *_whose(), "is-active", f"{name}.timer", environment=_environment())
        state = done.stdout.decode("utf-8", "replace").strip() or "unknown"
        return "" if state == "active" else f"The timer {name}.timer is {state}."


def units(entry: Entry) -> dict[str, str]:
    """The two units by the names of their files."""
    variables = [f"Environment={_quoted(f'{name}={value}')}" for name, value in entry.environment.items()]
    program = _quoted(entry.program).replace("$", "$$")
    timer = _TIMER.format(
        name=entry.name, when=on_calendar(entry.calendar), minute=entry.calendar.minute, jitter=JITTER_MINUTES
    )
    service = _SERVICE.format(
        name=entry.name, environment="\n".join(variables), command=" ".join([_ENV, program, *ARGUMENTS])
    )
    return {f"{entry.name}.timer": timer, f"{entry.name}.service": service}


def on_calendar(calendar: Calendar) -> str:
    """As systemd writes it; the machine's local time."""
    days = "" if calendar.daily else ",".join(DAYS[day] for day in calendar.days) + " "
    return f"{days}*-*-* {calendar.hour:02}:{calendar.minute:02}:00"


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPED.get(each, each) for each in text) + '"'


def _folder() -> Path:
    return SYSTEM if is_root() else Path.home() / ".config/systemd/user"


def _systemctl(*arguments: str) -> None:
    must("systemctl", *_whose(), *arguments, environment=_environment())


def _whose() -> tuple[str, ...]:
    return () if is_root() else ("--user",)


def _runtime() -> Path:
    return Path(f"/run/user/{os.geteuid()}")


def _environment() -> dict[str, str]:
    return {} if is_root() else {"XDG_RUNTIME_DIR": str(_runtime()), "HOME": str(Path.home())}


def _about_linger() -> str:
    """A user's timers rest while the user is signed in nowhere, unless an administrator says otherwise."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    done = ask("loginctl", "show-user", user, "--property=Linger", "--value", environment=_environment())
    if done.stdout.strip() == b"yes":
        return ""
    return (
        f"Backups are made only while {user} is signed in on this machine; so that they are made always, run: "
        f"sudo loginctl enable-linger {user}."
    )
