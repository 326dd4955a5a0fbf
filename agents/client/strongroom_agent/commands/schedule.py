"""The command `schedule`: shows, sets and ends when this machine backs itself up, and how."""

from dataclasses import replace
from pathlib import Path

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError, usage
from strongroom_agent.core.output import Done, progress
from strongroom_agent.schedule import calendar, history, installation, plan
from strongroom_agent.state.backup_options import BackupOptions
from strongroom_agent.state.session import Session

SHOW, OFF = "show", "off"


def run(session: Session, words: list[str], changes: dict[str, object]) -> Done:
    """Set the schedule that `words` say, and the options of backups in `changes`; then show both."""
    what, wanted = words[0] if words else SHOW, wanted_by(words)
    if changes:
        session.remember(options=changed(session.settings.options, changes))
    remark = ""
    if wanted:
        _, remark = installation.apply(session.home, wanted, program_of(session))
    elif what == OFF:
        installation.remove(session.home)
    if wanted or what == OFF:
        tell(session)
    return _shown(session, remark)


def wanted_by(words: list[str]) -> calendar.Calendar | None:
    """The calendar that the words of the command line say; None for `show` and `off`. AgentError `usage`."""
    what = words[0] if words else SHOW
    if what not in (SHOW, OFF):
        return calendar.parse(words)
    if len(words) > 1:
        raise usage(f"schedule: {what} takes nothing behind it.", calendar.HOW)
    return None


def changed(options: BackupOptions, changes: dict[str, object]) -> BackupOptions:
    """The options with these changes. AgentError when they do not go together, or name what is not there."""
    new = replace(options, **changes)  # type: ignore[arg-type]
    new.patterns()
    return new


def program_of(session: Session) -> str:
    """What the schedule starts: the program where setup has put it, or where an earlier schedule found it."""
    known = plan.load(session.home)
    if known and Path(known.program).is_file():
        return known.program
    folder = Path(session.settings.install_dir)
    for name in ("strongroom-agent", "strongroom-agent.exe", "strongroom-agent.cmd"):
        if (folder / name).is_file():
            return str(folder / name)
    raise AgentError(
        "schedule_failed",
        f"The program is not in {folder} any more, where setup has put it.",
        "Put the agent there again, as with setup, then run this again.",
    )


def tell(session: Session) -> None:
    """Let the portal know at once; if that does not go, the next run does."""
    try:
        session.sign_of_life()
    except AgentError as error:
        progress(f"note: the portal hears of it with the next run. {error.problem}")


def _shown(session: Session, remark: str) -> Done:
    known, described = plan.load(session.home), installation.describe(session.home)
    trouble = installation.trouble(known) if known else ""
    lines = [_about(known, trouble), remark, *_about_options(session.settings.options)]
    if known and (runs := history.last(session.home)):
        lines.append(f"Last scheduled run: {times.people(str(runs[-1].get('at')))}: {runs[-1].get('message')}")
    remedy = (
        f"Run strongroom-agent schedule {known.calendar} to install it again." if trouble and known else ""
    ) or str(described["remedy"])
    details = {**described, "active": bool(known) and not trouble, "remark": trouble or remark or described["remark"]}
    details["remedy"] = remedy
    return Done(
        "\n".join(line for line in lines if line),
        remedy=remedy,
        details={"schedule": details, "options": session.settings.options.shown},
    )


def _about(known: plan.Plan | None, trouble: str) -> str:
    if known is None:
        return f"{installation.OFF} {installation.ON}"
    upcoming = times.for_people(known.calendar.after(times.now(), calendar.local_zone()))
    said = f"Backups are made {known.calendar} (local time) by {known.scheduler}; the next is due {upcoming}."
    return f"{said} But: {trouble} Run strongroom-agent schedule {known.calendar}." if trouble else said


def _about_options(options: BackupOptions) -> list[str]:
    limits = [(options.limit_upload, "upload"), (options.limit_download, "download")]
    return [
        f"Left out: {', '.join(options.exclude)}." if options.exclude else "",
        f"Left out as well: what {options.exclude_file} lists." if options.exclude_file else "",
        f"Proven by each restore check: {', '.join(options.always_prove)}." if options.always_prove else "",
        *(f"Limit of {what}: {number} KiB/s." for number, what in limits if number),
        f"A command runs before each backup, for up to {options.command_minutes} minutes." if options.before else "",
        f"A command runs after each backup, for up to {options.command_minutes} minutes." if options.after else "",
        "Files are read from a snapshot of the file system (VSS)." if options.from_snapshot else "",
        "" if options.update else "Newer versions of the agent are taken only by strongroom-agent update.",
    ]
