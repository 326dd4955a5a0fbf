"""The installation folder: the program, where it is to stay."""

import os
import shlex
import shutil
import site
import sys
import tempfile
from pathlib import Path

from strongroom_agent.core import ownership, packaged
from strongroom_agent.core.errors import AgentError, why
from strongroom_agent.restic import engine


def install(folder: Path) -> Path:
    """Put the program into the folder and return its path there.

    What apt or dnf has installed stays where it is, since they update and remove it. A folder that holds all it needs
    is copied as a whole, the single-file agent as it is; an agent that was installed as a Python package gets a small
    launcher. AgentError if the folder cannot be written to, or others could put another program there.
    """
    packaged_in = packaged.folder()
    if packaged_in and packaged.installed_by():
        return packaged_in / packaged.PROGRAM
    windows = sys.platform == "win32"
    single_file = os.environ.get("PEX")
    name = "strongroom-agent.cmd" if windows and not single_file else "strongroom-agent"
    target = folder / name
    try:
        _make(folder)
        if trouble := ownership.problem(folder, groups=True):
            raise AgentError(
                "install_failed",
                f"The installation folder {folder} cannot be trusted: {trouble}. Others could exchange the program.",
                "Choose a folder that only administrators can write to with --install-dir.",
            )
        if packaged_in:
            return _copy_whole(packaged_in, folder)
        content = Path(single_file).read_bytes() if single_file else _launcher(windows).encode()
        _put(target, content)
        _take_along(folder)
    except OSError as error:
        raise AgentError(
            "install_failed",
            f"The installation folder {folder} cannot be written to: {why(error)}.",
            "Choose another folder with --install-dir.",
        ) from error
    return target


def _copy_whole(source: Path, folder: Path) -> Path:
    """Put all that is in `source` into the folder, in place of what an earlier one brought; the path of the program.

    Nothing is taken away before its successor lies beside it whole, and the program itself comes last.
    """
    target = folder / packaged.PROGRAM
    if source.samefile(folder):
        return target
    if manager := packaged.installed_by(folder):
        raise AgentError(
            "install_failed",
            f"The program in {folder} was installed by {manager}, which would find it changed.",
            f"Run {target}, or choose another folder with --install-dir.",
        )
    with tempfile.TemporaryDirectory(prefix=".strongroom-agent.", dir=folder) as scratch:
        fresh, old = Path(scratch) / "new", Path(scratch) / "old"
        old.mkdir()
        shutil.copytree(source, fresh, symlinks=True)
        for each in sorted(fresh.iterdir(), key=lambda path: path.name == target.name):
            if os.path.lexists(folder / each.name):
                os.replace(folder / each.name, old / each.name)
            os.replace(each, folder / each.name)
    return target


def _put(target: Path, content: bytes) -> None:
    """Put the program in its place in one step; its file is new, with a name that nobody can have known before."""
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o755)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _take_along(folder: Path) -> None:
    """The restic beside the agent stays beside it: one of the system may be too old, or missing."""
    found = engine.beside()
    if found and os.environ.get("PEX") and not (Path(found).parent.exists() and Path(found).parent.samefile(folder)):
        _put(folder / Path(found).name, Path(found).read_bytes())


def _make(folder: Path) -> None:
    """Make the folder and those above it so that everybody may run what is in it, whatever our umask is."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        each.chmod(0o755)


def _launcher(windows: bool) -> str:
    """Isolated: no module from the folder that the person stands in, no PYTHON… variable of the calling shell."""
    command = f"-X utf8 {_isolation()} -m strongroom_agent"
    if windows:
        return f'@"{sys.executable}" {command} %*\r\n'
    return f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {command} "$@"\n'


def _isolation() -> str:
    """-I leaves out the user's own packages too, which must not be where we are among them."""
    own = site.getusersitepackages() if site.ENABLE_USER_SITE else None
    return "-E -P" if own and Path(__file__).is_relative_to(own) else "-I"
