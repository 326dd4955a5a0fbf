"""The state folder: who may read it, how it is written, and that only one run uses it at a time."""

import contextlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from strongroom_agent.core import acl, ownership
from strongroom_agent.core.errors import AgentError, remedy_for, why

from . import lock

NAME = "strongroom-agent"


def default_folder() -> Path:
    """`$STRONGROOM_AGENT_HOME`, else the platform's place for a user's configuration."""
    if chosen := os.environ.get("STRONGROOM_AGENT_HOME"):
        return Path(chosen).absolute()
    return platform_folder()


def platform_folder() -> Path:
    """The platform's place for a user's configuration, whatever the environment has chosen."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / NAME
    return Path.home() / ".config" / NAME


class Home:
    """The folder with this machine's keys and settings, mode 0700; its files have mode 0600. On Windows an access list
    says the same, once in each run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._restricted = False

    def path(self, name: str) -> Path:
        """Where the file `name` is or would be."""
        return self.folder / name

    def ensure(self) -> None:
        """Make the folder, or tighten the mode of an existing one.

        AgentError if that fails, or when somebody else could change, or has written, what we go by.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            state = self.folder.stat()
            ours = sys.platform == "win32" or state.st_uid == os.geteuid()
            if ours and stat.S_IMODE(state.st_mode) != 0o700:
                self.folder.chmod(0o700)
            if not self._restricted:
                acl.restrict(self.folder)
                self._restricted = True
        except OSError as error:
            raise self._unusable(error) from error
        self.require_own()

    def require_own(self) -> None:
        """AgentError `home_unusable` when others could change what is in the folder, or have put something there."""
        try:
            trouble = ownership.problem(self.folder) or ownership.foreign(self.folder)
        except FileNotFoundError:
            return  # then there is nothing in it either
        except OSError as error:
            raise self._unusable(error) from error
        if trouble:
            raise AgentError(
                "home_unusable",
                f"The state folder {self.folder} cannot be trusted: {trouble}. Others could change what is in it.",
                "Run the agent as the user that set this machine up, and keep the folder, and those above it, for "
                "that user alone; or choose another folder with STRONGROOM_AGENT_HOME.",
            )

    def read_text(self, name: str) -> str | None:
        """The content of a file; None when there is none."""
        try:
            return self.path(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        except UnicodeDecodeError as error:
            raise self.damaged(name, "it is not text") from error

    def read_object(self, name: str) -> dict[str, object] | None:
        """The JSON object in a file; None when there is no file, AgentError when it is damaged."""
        text = self.read_text(name)
        if text is None:
            return None
        try:
            value = json.loads(text)
        except ValueError as error:
            raise self.damaged(name, error) from error
        if not isinstance(value, dict):
            raise self.damaged(name, TypeError("not a JSON object"))
        return value

    def write_text(self, name: str, text: str) -> None:
        """Replace a file in one step: after a crash either the old or the new content is there."""
        self.ensure()
        path = self.path(name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException as error:
            if isinstance(error, OSError) and error.filename is None:
                error.filename = str(path)  # which disk is full is what a person has to know
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def write_object(self, name: str, value: dict[str, object]) -> None:
        """Replace a file with a JSON object, in one step."""
        self.write_text(name, json.dumps(value, indent=1))

    def ensure_text(self, name: str, text: str) -> None:
        """Make sure that a file holds this text, whatever it holds now."""
        try:
            same = self.path(name).read_bytes() == text.encode()
        except OSError:
            same = False
        if not same:
            self.write_text(name, text)

    def remove(self, name: str) -> None:
        """Delete a file if it is there."""
        self.path(name).unlink(missing_ok=True)

    def move(self, name: str, to: str) -> None:
        """Give a file another name, in one step; a file of that name is replaced."""
        self.path(to).parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(self.path(name), self.path(to))

    def _unusable(self, error: OSError) -> AgentError:
        return AgentError(
            "home_unusable",
            f"The state folder {self.folder} cannot be used: {why(error)}.",
            remedy_for(
                error,
                "Run the agent as the user that set this machine up, or choose another folder with "
                "STRONGROOM_AGENT_HOME.",
            ),
        )

    def damaged(self, name: str, why: object) -> AgentError:
        """The error for a file of ours that does not hold what it should."""
        return AgentError(
            "state_damaged",
            f"The agent's own file {self.path(name)} cannot be used: {why}.",
            "Restore it from a copy, or run strongroom-agent unregister --forget and set this machine up again.",
        )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one run. AgentError `busy` when another run holds it."""
        self.ensure()
        try:
            file = self._lock_file()
        except OSError as error:
            raise self._unusable(error) from error
        with file, lock.held(file):
            yield

    def in_use(self) -> bool:
        """Whether a run holds the folder at this moment."""
        if not self.path("lock").exists():
            return False
        with self._lock_file() as file:
            return lock.taken(file)

    def _lock_file(self) -> BinaryIO:
        return self.path("lock").open("a+b")


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself durable; Windows has no such call."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
