"""What came of a retain, in figures and in words."""

from dataclasses import dataclass, field

from strongroom_agent.core.sizes import counted, readable

_NAMED = 3


@dataclass
class RetainResult:
    """Filled while it goes on, so that one that fails or is stopped tells how far it has come."""

    dry_run: bool = False
    policy: str = ""
    forgotten: list[str] = field(default_factory=list)  # snapshots that are gone; in a dry run those that would go
    refused: list[str] = field(default_factory=list)  # snapshots that the storage did not let go
    held_back: list[str] = field(default_factory=list)  # snapshots that this machine did not let go
    kept: int = 0
    freed: int = 0  # bytes, less what was stored anew for it
    young_packs: int = 0  # not needed any more, and not let go
    young_bytes: int = 0
    failure: None = None

    @property
    def figures(self) -> dict[str, object]:
        """What the portal is told."""
        counts = {"forgotten": len(self.forgotten), "refused": len(self.refused), "freed": self.freed}
        return {**counts, "code": self.code}

    @property
    def so_far(self) -> dict[str, object]:
        """The same of a run that has not come to its end."""
        return {name: value for name, value in self.figures.items() if name != "code"}

    @property
    def code(self) -> str:
        """`done`, or what is to be known of it."""
        return "done_with_refusals" if self.refused else "done"

    @property
    def deleted(self) -> bool:
        """Whether anything is in the trash now."""
        return bool(self.forgotten or self.freed)

    @property
    def details(self) -> dict[str, object]:
        """The JSON answer."""
        return {
            "forgotten": self.forgotten,
            "kept": self.kept,
            "refused": self.refused,
            "held_back": self.held_back,
            "freed_bytes": self.freed,
            "refused_packs": self.young_packs,
            "refused_bytes": self.young_bytes,
            "policy": self.policy,
            "dry_run": self.dry_run,
        }

    @property
    def remedy(self) -> str:
        """What to do about refusals."""
        if not self.refused:
            return ""
        return (
            "The next retain tries again. If it is refused too, the people of the vault see on its Configure tab how "
            "long nothing may be deleted."
        )

    @property
    def remark(self) -> str:
        """The result in a few sentences."""
        said = [self._snapshots]
        if self.refused:
            said.append(
                f"The portal lists {counted(len(self.refused), 'more snapshot')} that the storage did not let go: "
                f"{_names(self.refused)}."
            )
        if self.held_back:
            said.append(
                f"Kept all the same, since the date lies in the future: {_names(self.held_back)}; this machine's clock "
                "may have been wrong then."
            )
        if (self.freed or self.forgotten) and not self.dry_run:
            said.append(f"{readable(self.freed)} freed.")
        if self.young_packs:
            packs = counted(self.young_packs, "pack")
            said.append(f"{packs}, {readable(self.young_bytes)}, not old enough yet: a later retain frees that.")
        return " ".join(said)

    @property
    def _snapshots(self) -> str:
        what = f"{counted(self.kept, 'snapshot')} {'stays' if self.kept == 1 else 'stay'}."
        if not self.forgotten:
            return f"No snapshot {'would go' if self.dry_run else 'had to go'}; {what}"
        went = "would go" if self.dry_run else "went to the trash"
        return f"{counted(len(self.forgotten), 'snapshot')} {went}; {what}"


def _names(found: list[str]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(each[:8] for each in found[:_NAMED]) + more
