"""The command `receipts`: write what this machine has signed about its runs, for whoever is to verify it."""

import os
import re
from pathlib import Path

from strongroom_agent.core.errors import AgentError, remedy_for, why
from strongroom_agent.core.output import Done
from strongroom_agent.core.sizes import counted
from strongroom_agent.portal import receipts
from strongroom_agent.portal.receipt_recipe import HOW_TO, PROGRAM
from strongroom_agent.state import identity
from strongroom_agent.state.home import Home

_OURS = re.compile(r"\d{8}T\d{6}Z_[a-z_]+_[0-9a-f]{8}\.(jws|files)|HOW-TO-VERIFY\.txt|verify\.py")


def run(home: Home, target: str) -> Done:
    """Write all receipts into a folder that is new, empty, or has only receipts. What is there already stays as it is.

    AgentError `no_receipts` when there are none, `target_not_empty` when something else is there, `target_unusable`.
    """
    home.require_own()
    found = {each.name: each.read_bytes() for each in receipts.kept(home)}
    number = sum(name.endswith(".jws") for name in found)
    if not number:
        raise AgentError(
            "no_receipts",
            "This machine has no receipts yet.",
            "Run strongroom-agent backup, then strongroom-agent check: each of them gives one.",
        )
    folder = Path(target).absolute()
    helps = {"HOW-TO-VERIFY.txt": _how_to(home), "verify.py": PROGRAM.encode()}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = _there(folder, found)
        missing = [name for name in found if name not in there]
        for name, content in {**helps, **found}.items():
            if name not in there:
                _write(folder / name, content)
    except OSError as error:
        remedy = remedy_for(error, "Name another folder with --to.")
        raise AgentError("target_unusable", f"{folder} cannot be written to: {why(error)}.", remedy) from error
    new = sum(name.endswith(".jws") for name in missing)
    details = {"receipts": number, "written": new, "folder": str(folder)}
    return Done(
        f"{counted(number, 'receipt')} in {folder}, {new} of them new. HOW-TO-VERIFY.txt there says how to verify.",
        details=details,
    )


def _there(folder: Path, wanted: dict[str, bytes]) -> set[str]:
    """The names of what is there. Anything that is not ours, or a receipt with another content, is somebody's."""
    there = {each.name: each for each in os.scandir(folder)}
    for name, entry in there.items():
        strange = not _OURS.fullmatch(name) or not entry.is_file(follow_symlinks=False)
        if strange or (name in wanted and Path(entry.path).read_bytes() != wanted[name]):
            raise AgentError(
                "target_not_empty",
                f"There is something else than these receipts in {folder}, beginning with {name}. Nothing was changed.",
                "Name a new or empty folder with --to.",
            )
    return set(there)


def _write(path: Path, content: bytes) -> None:
    """A new file; one that was begun and not ended would be taken for somebody's."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _how_to(home: Home) -> bytes:
    known = identity.load(home)
    if known is None:
        return HOW_TO.format(name="(left its vault)", vault="(see each receipt)", edge="<edge_url>").encode()
    return HOW_TO.format(name=known.name, vault=known.vault["name"], edge=known.edge_url).encode()
