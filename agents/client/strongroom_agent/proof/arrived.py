"""What a restore has left in its target folder, under the names that a snapshot gives it."""

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from strongroom_agent.core.paths import as_listed, is_below
from strongroom_agent.restic.snapshots import Item, Listed, Other

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFBLK: "dev",
    stat.S_IFCHR: "chardev",
    stat.S_IFSOCK: "socket",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that is there: its path as a snapshot lists it, its real path, and what it is."""

    path: str
    real: str
    kind: str
    size: int
    links: int
    ctime_ns: int
    inode: tuple[int, int]
    owner: tuple[int, int]


@dataclass
class Arrived:
    """Everything below a target that lies in, or on the way to, what was asked for.

    Names that differ only in bytes that are no text have one path in a listing: hence counts and lists.
    """

    files: Counter[tuple[str, int]] = field(default_factory=Counter)
    others: Counter[tuple[str, str]] = field(default_factory=Counter)
    real: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))

    def wrongly_linked(self, files: Iterable[Listed]) -> set[str]:
        """Files that were made one although the backup has them with different content: one that changed while both of
        its names were backed up, or file systems that number their files alike."""
        listed = {each.path: (each.size, each.mtime_ns) for each in files}
        groups: dict[tuple[int, int], set[str]] = defaultdict(set)
        for entry in (each for found in self.real.values() for each in found):
            if entry.kind == "file" and entry.links > 1 and entry.path in listed:
                groups[entry.inode].add(entry.path)
        return {path for group in groups.values() if len({listed[one] for one in group}) > 1 for path in group}

    def missing(self, files: Iterable[Listed], others: Iterable[Other]) -> list[str]:
        """Which of the files are not there with their size, and which of the others not as what they are."""
        lacking = Counter((each.path, each.size) for each in files) - self.files
        bare = Counter((each.path, each.kind) for each in others) - self.others
        return [path for path, _ in (*lacking.elements(), *bare.elements())]

    def owned_otherwise(self, items: Iterable[Item]) -> dict[str, str]:
        """Which of the items belong to somebody else here, and whom they should belong to."""
        return {
            each.path: f"in the backup it belongs to user {each.owner[0]} and group {each.owner[1]}"
            for each in items
            if each.owner is not None and (there := self.real.get(each.path))
            if all(entry.owner != each.owner for entry in there)
        }


def survey(target: str, roots: list[str]) -> Arrived:
    """Look at what is in `target`, which may be a whole disk: only what concerns `roots` matters."""
    found = Arrived()
    for each in entries(target, roots):
        if each.kind == "file":
            found.files[each.path, each.size] += 1
        else:
            found.others[each.path, each.kind] += 1
        found.real[each.path].append(each)
    return found


def entries(target: str, roots: list[str]) -> Iterator[Entry]:
    """Everything that is there in and on the way to the roots, folders before what is in them; no link is followed."""
    for folder, folders, names in os.walk(target):
        here = as_listed(os.path.relpath(folder, target).replace(os.sep, "/"))
        above = "" if here == "." else f"/{here}"
        folders[:] = [name for name in folders if _matters(f"{above}/{as_listed(name)}", roots)]
        for name in [*folders, *names]:
            path, real = f"{above}/{as_listed(name)}", os.path.join(folder, name)
            if not _matters(path, roots):
                continue
            try:
                status = os.lstat(real)
            except OSError:
                continue  # gone since it was listed, or closed to us: then it has not arrived
            inode, owner = (status.st_dev, status.st_ino), (status.st_uid, status.st_gid)
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "")
            yield Entry(path, real, kind, status.st_size, status.st_nlink, status.st_ctime_ns, inode, owner)


def _matters(path: str, roots: list[str]) -> bool:
    return any(is_below(path, root) or is_below(root, path) for root in roots)
