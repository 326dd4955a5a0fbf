"""How backups are made, beyond what is protected: what is left out, how fast, and what runs before and after."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from strongroom_agent.core import acl
from strongroom_agent.core.errors import AgentError, usage, why
from strongroom_agent.core.patterns import Patterns

COMMAND_MINUTES = 60
_MOST_PATTERNS, _LONGEST = 1000, 4096


@dataclass(frozen=True)
class BackupOptions:
    """`exclude` and what stands in `exclude_file` are restic's patterns; limits are in KiB/s, 0 for none.

    `before` and `after` are lines for the shell, each with `command_minutes` of time; `fs_snapshot` is for Windows
    (VSS): where nobody has said it, one is made when the run may. `always_prove` names files and folders, by absolute
    paths, that each restore check proves; `update`: whether the schedule also takes newer versions of this program.
    """

    exclude: list[str] = field(default_factory=list)
    exclude_file: str = ""
    limit_upload: int = 0
    limit_download: int = 0
    before: str = ""
    after: str = ""
    command_minutes: int = COMMAND_MINUTES
    fs_snapshot: bool | None = None
    always_prove: list[str] = field(default_factory=list)
    update: bool = True

    @property
    def limits(self) -> list[str]:
        """restic's own options for the bandwidth."""
        upload = ["--limit-upload", str(self.limit_upload)] if self.limit_upload else []
        return upload + (["--limit-download", str(self.limit_download)] if self.limit_download else [])

    def patterns(self) -> Patterns:
        """All that is left out, read anew. AgentError `exclude_file_unusable` when the file cannot be read."""
        return Patterns([*self.exclude, *(_in_file(self.exclude_file) if self.exclude_file else [])])

    @property
    def from_snapshot(self) -> bool:
        """Whether files are read from a snapshot of the file system. Only an administrator of Windows may make one, so
        others read what is open at the moment as it is, unless they have asked for one."""
        return acl.elevated() if self.fs_snapshot is None else self.fs_snapshot

    @property
    def shown(self) -> dict[str, object]:
        """For answers: without the commands themselves, in which people write passwords."""
        known = dataclasses.asdict(self)
        return {**known, "before": bool(self.before), "after": bool(self.after)}


def read(stored: object) -> BackupOptions:
    """What was kept. TypeError when it is not that."""
    options = BackupOptions(**stored) if isinstance(stored, dict) else BackupOptions()
    texts, numbers = (
        (options.exclude_file, options.before, options.after),
        (options.limit_upload, options.limit_download),
    )
    lists = (options.exclude, options.always_prove)
    whole = all(isinstance(each, list) for each in lists) and all(
        isinstance(each, str) for each in (*options.exclude, *options.always_prove, *texts)
    )
    counted = all(type(each) is int and each >= 0 for each in (*numbers, options.command_minutes))
    if (
        not whole
        or not counted
        or not isinstance(options.fs_snapshot, bool | None)
        or type(options.update) is not bool
        or (stored is not None and type(stored) is not dict)
    ):
        raise TypeError("options")
    return options


def _in_file(name: str) -> list[str]:
    """One pattern on each line; empty lines and those with # before them count for nothing."""
    try:
        lines = Path(name).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise AgentError(
            "exclude_file_unusable",
            f"The list of what is left out, {name}, cannot be read: {why(error)}.",
            "Bring it back, or name another one with strongroom-agent schedule --exclude-file FILE (or --no-exclude).",
        ) from error
    found = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if len(found) > _MOST_PATTERNS or any(len(each) > _LONGEST for each in found):
        raise usage(f"{name} has more than {_MOST_PATTERNS} patterns, or one that is too long.", "Shorten it.")
    return found
