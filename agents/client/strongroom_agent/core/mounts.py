"""Which file systems are mounted where, and of what kind they are. Linux says so in full, others only in part."""

import os
import re
import sys
from pathlib import Path

_TABLE = "/proc/self/mountinfo"
_OCTAL = re.compile(rb"\\([0-7]{3})")
# What the kernel or a desktop makes up: it isn't stored anywhere, and reading it may hang or never end.
# fmt: off
_PSEUDO = frozenset((
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cpuset", "debugfs", "devfs", "devpts",
    "devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs",
    "selinuxfs", "smackfs", "sysfs", "tracefs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal",
))
# fmt: on
_NETWORK = ("nfs", "cifs", "smb", "afs", "ceph", "glusterfs", "lustre", "ncpfs", "9p", "fuse.sshfs", "fuse.rclone")
_NETWORK_FUSE = ("fuse.s3fs", "fuse.davfs", "fuse.glusterfs", "fuse.ceph", "fuse.gcsfuse", "fuse.goofys", "fuse.smb")


def table() -> dict[str, str]:
    """The kind of the file system at each mount point; what is mounted over something else hides it."""
    try:
        lines = Path(_TABLE).read_bytes().splitlines()
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        here, _, there = line.partition(b" - ")
        point = _OCTAL.sub(lambda octal: bytes([int(octal[1], 8)]), here.split(b" ")[4])
        found.pop(os.fsdecode(point), None)
        found[os.fsdecode(point)] = os.fsdecode(there.split(b" ")[0])
    return found


def kind_of(path: str) -> str:
    """The kind of the file system that holds a real path; empty where the system does not say."""
    mounted = table()
    return mounted.get(max((point for point in mounted if below(path, point)), key=len, default=""), "")


def is_network(kind: str) -> bool:
    """Whether a file system of this kind is on another computer."""
    return kind.startswith((*_NETWORK, *_NETWORK_FUSE))


def is_pseudo(kind: str) -> bool:
    """Whether a file system of this kind holds nothing that is stored."""
    return kind in _PSEUDO


def points_in(folder: str) -> dict[str, str]:
    """The mount points strictly inside a real folder, and their kinds."""
    return {point: kind for point, kind in table().items() if point != folder and below(point, folder)}


def is_point(path: str) -> bool:
    """Whether something is mounted at this real path."""
    return path in table() if sys.platform.startswith("linux") else os.path.ismount(path)


def below(path: str, folder: str) -> bool:
    """Whether an absolute path is the folder or inside it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
