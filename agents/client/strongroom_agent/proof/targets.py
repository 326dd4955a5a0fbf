"""The folder that is restored to: new or empty, or with `--overwrite` cleared of what stands in the way."""

import contextlib
import os
from collections import defaultdict
from pathlib import Path

from strongroom_agent.core.errors import AgentError, why
from strongroom_agent.core.paths import is_below
from strongroom_agent.restic.engine import Engine
from strongroom_agent.restic.snapshots import Contents

from . import arrived
from .set_aside import Aside

_SHOWN = 20
_FRESH_DISK = "lost+found"  # every new file system of the ext family has it


def prepared(text: str, *, overwrite: bool, engine: Engine) -> str:
    """The real path of the target, made if it is not there.

    AgentError `target_not_empty` when something is in it and it was not said that this may be overwritten.
    """
    if overwrite:
        engine.must_be_recent("--overwrite")
    try:
        target = Path(os.path.realpath(text))
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        inside = sorted(os.listdir(target))
    except (OSError, ValueError) as error:
        raise _unusable(text, error) from error
    if inside == [_FRESH_DISK] and (target / _FRESH_DISK).is_dir():
        inside = []
    if inside and not overwrite:
        raise AgentError(
            "target_not_empty",
            f"The folder {target} is not empty: {inside[0]} is in it.",
            "Give --target a new or empty folder, or add --overwrite to replace what differs in this one.",
        )
    if not os.access(target, os.W_OK | os.X_OK):
        raise _unusable(str(target), PermissionError(13, "Permission denied"))
    return str(target)


def lacking(text: str) -> list[str]:
    """The folders that `prepared` will make for this target, the innermost first."""
    with contextlib.suppress(OSError, ValueError):
        target = Path(os.path.realpath(text))
        return [str(each) for each in (target, *target.parents) if not os.path.lexists(each)]
    return []


def remove_empty(folders: list[str]) -> None:
    """Take away folders that were made for a restore which has put nothing into them."""
    with contextlib.suppress(OSError):
        for each in folders:
            os.rmdir(each)


def clear(target: str, roots: list[str], found: Contents, aside: Aside) -> None:
    """Set aside what a restore would write through or to: links, pipes and devices where files or folders belong, and
    files that have other names too, which may lie anywhere.

    AgentError `target_in_the_way`, before anything is changed, for folders that would have to be deleted.
    """
    kinds: dict[str, set[str]] = defaultdict(set)
    for path in (each.path for each in found.files):
        kinds[path].add("file")
    for other in found.others:
        kinds[other.path].add(other.kind)
    risky: list[str] = []
    blocked: list[str] = []
    for each in arrived.entries(target, roots):
        if each.path not in kinds:
            continue
        wanted = kinds[each.path]
        if each.kind == "dir":
            if "dir" not in wanted and os.listdir(each.real):
                blocked.append(each.real)
        elif "dir" in wanted or (each.kind != "file" and "file" in wanted):
            on_the_way = any(is_below(root, each.path) and root != each.path for root in roots)
            (blocked if target == os.sep and on_the_way else risky).append(each.real)
        elif each.kind == "file" and each.links > 1:
            risky.append(each.real)
    if blocked:
        raise _in_the_way(blocked)
    for real in risky:
        try:
            aside.put(real)
        except OSError as error:
            aside.settle(proven=False)
            raise AgentError(
                "target_in_the_way",
                f"{real} cannot be replaced: {why(error)}.",
                "Move it away, or restore to another folder.",
            ) from error


def _in_the_way(blocked: list[str]) -> AgentError:
    more = f" and {len(blocked) - 1} more" if len(blocked) > 1 else ""
    return AgentError(
        "target_in_the_way",
        f"Nothing was restored: {blocked[0]}{more} is a folder with something in it, or a link to one, where the "
        "backup has something else.",
        "Move it away yourself, or restore to another folder.",
        in_the_way_first=blocked[:_SHOWN],
    )


def _unusable(text: str, error: Exception) -> AgentError:
    reason = why(error) if isinstance(error, OSError) else str(error)
    return AgentError(
        "target_unusable",
        f"The folder {text} cannot be used: {reason}.",
        "Give --target a folder that this user may write to.",
    )
