"""The command `schedule`, and the options of backups, which `setup` takes as well."""

import argparse
import os
from pathlib import Path

from strongroom_agent.core.errors import usage
from strongroom_agent.core.patterns import Patterns

MOST_ALWAYS = 100
_MOST = 1 << 30
_VALUES = ("exclude_file", "limit_upload", "limit_download", "before", "after", "command_minutes")


def add_schedule(parser: argparse.ArgumentParser) -> None:
    """The words of `schedule`, and the options."""
    parser.add_argument(
        "when", nargs="*", metavar="WHEN", help="show (the default), daily HH:MM, weekly DAY[,DAY] HH:MM, or off"
    )
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """How backups are made. What is not given stays as it was."""
    group = parser.add_argument_group("how backups are made (what is not given stays as it was)")
    group.add_argument("--exclude", action="append", metavar="PATTERN", help="leave this out; restic's patterns")
    group.add_argument("--exclude-file", metavar="FILE", help="a pattern on each line, read at each backup")
    group.add_argument("--no-exclude", action="store_true", default=None, help="leave nothing out any more")
    group.add_argument(
        "--always-prove",
        action="append",
        metavar="PATH",
        help="a file or folder that each restore check proves; these instead of those before",
    )
    group.add_argument("--no-always-prove", action="store_true", default=None, help="none is proven always any more")
    group.add_argument("--limit-upload", type=_number, metavar="KIB", help="KiB/s; 0 for no limit")
    group.add_argument("--limit-download", type=_number, metavar="KIB", help="KiB/s; 0 for no limit")
    group.add_argument("--before", metavar="COMMAND", help="run before each backup; '' for none any more")
    group.add_argument("--after", metavar="COMMAND", help="run after each backup; '' for none any more")
    group.add_argument("--command-minutes", type=_minutes, metavar="N", help="how long each may take; at first 60")
    group.add_argument(
        "--use-fs-snapshot",
        action="store_true",
        default=None,
        help="Windows: read from a VSS snapshot (administrators do)",
    )
    group.add_argument(
        "--no-fs-snapshot",
        dest="use_fs_snapshot",
        action="store_false",
        default=None,
        help="Windows: read the files as they are",
    )
    group.add_argument(
        "--no-update", dest="update", action="store_false", default=None, help="newer versions only when somebody asks"
    )
    group.add_argument(
        "--update", action="store_true", default=None, help="take newer versions that the portal has for this machine"
    )


def changes(given: argparse.Namespace, platform: str) -> dict[str, object]:
    """What of the options was given, by the names of BackupOptions. AgentError `usage` for what cannot be."""
    found = {name: value for name in _VALUES if (value := getattr(given, name)) is not None}
    if given.no_exclude and (given.exclude or given.exclude_file):
        raise usage("--no-exclude does not go with --exclude or --exclude-file.")
    if given.no_exclude:
        found |= {"exclude": [], "exclude_file": ""}
    if given.exclude is not None:
        Patterns(given.exclude)
        found["exclude"] = list(given.exclude)
    found |= _always_prove(given)
    if given.exclude_file:
        found["exclude_file"] = str(Path(given.exclude_file).absolute())
    if given.use_fs_snapshot and platform != "win32":
        raise usage("--use-fs-snapshot is for Windows alone.", "Leave it out; --before can make a snapshot here.")
    if given.use_fs_snapshot is not None:
        found["fs_snapshot"] = given.use_fs_snapshot
    if given.update is not None:
        found["update"] = given.update
    return found


def _always_prove(given: argparse.Namespace) -> dict[str, object]:
    """The folder of a link by its real path, but the link itself, as a snapshot has it."""
    if given.no_always_prove and given.always_prove is not None:
        raise usage("--no-always-prove does not go with --always-prove.")
    if given.no_always_prove:
        return {"always_prove": []}
    if given.always_prove is None:
        return {}
    if len(given.always_prove) > MOST_ALWAYS or not all(each.strip() for each in given.always_prove):
        raise usage(f"--always-prove takes 1 to {MOST_ALWAYS} paths, none of them empty.", "Name a folder instead.")
    names = [os.path.abspath(each) for each in given.always_prove]
    return {
        "always_prove": [
            os.path.join(os.path.realpath(os.path.dirname(name)), os.path.basename(name)) for name in names
        ]
    }


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of KiB in a second")
    return int(text)


def _minutes(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes from 1 to 1440")
    return int(text)
