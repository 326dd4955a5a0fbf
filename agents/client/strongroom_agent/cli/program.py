"""From a command line to an exit status: parse, run one command, print one answer."""

import argparse
import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from strongroom_agent.commands import (
    backup,
    check,
    doctor,
    receipts,
    repair,
    restore,
    retain,
    schedule,
    scheduled,
    snapshots,
    status,
    update,
)
from strongroom_agent.core import output, surroundings
from strongroom_agent.core.errors import QUOTA_REMEDY, AgentError, Exit, remedy_for, usage, why
from strongroom_agent.core.output import Done, progress, show_done, show_error
from strongroom_agent.portal import enrolment_code, reports
from strongroom_agent.setup import setup
from strongroom_agent.setup.checks import SetupOptions
from strongroom_agent.setup.wizard import wizard
from strongroom_agent.state import settings
from strongroom_agent.state.home import Home, default_folder
from strongroom_agent.state.session import Session, open_session

from . import answers, arguments, limits, schedule_arguments, signals


def run(argv: Sequence[str]) -> int:
    """Carry out a command line. The exit status; everything else has been printed."""
    as_json = "--json" in argv
    try:
        outcome = _carry_out(arguments.build().parse_args(argv))
    except AgentError as error:
        show_error(error, as_json=as_json)
        return int(error.exit_status)
    except KeyboardInterrupt as stopped:
        by = f" by {stopped}" if str(stopped) else ""
        interrupted = AgentError("interrupted", f"Stopped{by} before it was done.", "Run it again.")
        show_error(interrupted, as_json=as_json)
        return int(Exit.FAILED)
    except OSError as error:
        show_error(_trouble(error), as_json=as_json)
        return int(Exit.FAILED)
    except Exception as error:  # noqa: BLE001 - the contract: one JSON object, whatever happens
        progress(traceback.format_exc())
        show_error(_unexpected(error), as_json=as_json)
        return int(Exit.FAILED)
    show_done(outcome, as_json=as_json)
    return int(Exit.DONE)


def main() -> None:
    """The program."""
    output.prepare()
    signals.listen()
    if os.name == "posix":
        os.umask(0o077)  # what we write is for its owner; modes of what is restored come from the backup
    try:
        sys.exit(run(sys.argv[1:]))
    finally:
        output.finish()


def _carry_out(given: argparse.Namespace) -> Done:
    if given.command == "setup":
        answers.merge(given, arguments.setup_flags(), os.environ, os.pathsep)
        arguments.check_setup(given)
    if given.command == "schedule":
        schedule.wanted_by(given.when)  # wrong words are told also where there is no machine yet
    limits.lift()
    home = Home(default_folder())
    if given.command == "setup":
        given.options = _setup_options(given, home)
    if given.command == "status":
        return status.run(open_session(home))
    if given.command == "doctor":
        return doctor.run(home, given.bundle)
    if given.command == "receipts":
        return receipts.run(home, given.to)
    if given.command == "backup" and given.scheduled:
        return scheduled.run(home, lambda: _held(home))
    with _held(home):
        return _change(given, home)


@contextlib.contextmanager
def _held(home: Home) -> Iterator[None]:
    """The state folder for one run, with what killed ones have left in order. AgentError `busy` for a second run."""
    with home.locked():
        reports.note_killed(home)
        _tidy(home)
        try:
            yield
        finally:
            _tidy(home)


def _change(given: argparse.Namespace, home: Home) -> Done:
    """The commands that need the state folder for themselves."""
    if given.command == "setup":
        return setup.run(home, given.options)
    if given.command == "unregister" and given.forget:
        return status.run_forget(home)
    session = open_session(home)
    try:
        return _run(given, session)
    except AgentError as error:
        raise session.with_reason(error) from error


def _run(given: argparse.Namespace, session: Session) -> Done:
    match given.command:
        case "backup":
            return backup.run(session, accept_losses=given.accept_losses)
        case "restore":
            options = restore.RestoreOptions(given.target, given.snapshot, given.include, given.region, given.overwrite)
            return restore.run(session, options)
        case "snapshots":
            return snapshots.run(session, given.region)
        case "check":
            return check.run(session)
        case "repair":
            return repair.run(session)
        case "schedule":
            return schedule.run(session, given.when, schedule_arguments.changes(given, sys.platform))
        case "retain":
            return retain.run(session, dry_run=given.dry_run)
        case "update":
            return update.run(session, check=given.check)
        case "renew":
            return status.run_renew(session)
        case _:
            return status.run_unregister(session, forget=False)


def _tidy(home: Home) -> None:
    """Empty the temporary folder, of what a killed run has left as of what this one has."""
    with contextlib.suppress(AgentError, OSError):
        if chosen := settings.load(home):
            surroundings.clear_temporary(Path(chosen.cache_dir))


def _setup_options(given: argparse.Namespace, home: Home) -> SetupOptions:
    """The answers that were given; a person is asked for the rest unless --unattended."""
    options = SetupOptions(
        credentials=str(enrolment_code.kept_at(home)) if given.code else given.credentials or "",
        code=given.code or "",
        edge=given.edge or "",
        ca_sha256=given.ca_sha256 or "",
        vault=given.vault or "",
        once=bool(given.once),
        install_dir=given.install_dir or "",
        cache_dir=given.cache_dir or "",
        protect=given.protect or [],
        passphrase_file=given.passphrase_file,
        save_passphrase_to=given.save_passphrase_to,
        name=given.name,
        include_network=bool(given.include_network),
        proxy=given.proxy or "",
        proxy_user=given.proxy_user or "",
        proxy_password=_password(given.proxy_password_file),
        schedule=not given.no_schedule,
        link=not given.no_link,
        changes=schedule_arguments.changes(given, sys.platform),
    )
    if given.unattended:
        if given.code:  # what is wrong with it is told before anything is begun
            enrolment_code.offered(given.code, given.edge, given.ca_sha256, given.vault)
        return options
    return wizard.gather(home, options, {name for name, value in vars(given).items() if value is not None})


def _password(path: str | None) -> str | None:
    """The proxy's password, from a file only; one trailing newline does not count."""
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise usage(f"--proxy-password-file {path} cannot be read: {why(error)}.") from error
    except UnicodeDecodeError as error:
        raise usage(f"--proxy-password-file {path} is not text.") from error


def _trouble(error: OSError) -> AgentError:
    """A disk or folder that fails in the middle of a run."""
    named = f": {error.filename}" if error.filename else ""
    if error.errno == errno.ENOSPC:
        remedy = "Free some space where the agent's state folder and cache folder are, then try again."
        return AgentError("disk_full", f"A disk of this machine is full{named}.", remedy)
    if error.errno == errno.EDQUOT:
        return AgentError("disk_full", f"A disk of this machine takes no more from this user{named}.", QUOTA_REMEDY)
    remedy = remedy_for(error, "Check that its disk is there and that this user may use it, then try again.")
    return AgentError("file_unusable", f"A file or folder cannot be used ({why(error)}){named}.", remedy)


def _unexpected(error: Exception) -> AgentError:
    return AgentError(
        "internal",
        f"Unexpected internal error: {type(error).__name__}: {error}.",
        "Tell an administrator of the portal what this says and what you did.",
    )
