"""The kinds in which packages come, from the best for most people to the one that asks most of a machine."""

from dataclasses import dataclass

OWN = "own"
"""What administrators have added: none of our builds."""


@dataclass(frozen=True)
class Kind:
    """`label` beside the platform's name; `serves`, `needs`: sentences of what it runs on, and what has to be there."""

    label: str
    serves: str
    needs: str


_NOTHING = "Needs nothing else: interpreter, OpenSSL and restic are in it."
_FILES = (
    "It backs up files, also those of a server with System Center Data Protection Manager; of what that one stores it "
    "knows nothing."
)
_UNDER_WINE = (
    "Installation, setup and a restore were tried under wine. Not seen on a real Windows, or not at all: that the Task "
    "Scheduler starts it, VSS, access lists, removal, the system's own account, UAC, SmartScreen and Defender."
)

KINDS = {
    "deb": Kind(".deb", "For Debian 11 to 13 and Ubuntu 22.04 or newer (not tried there).", _NOTHING),
    "rpm": Kind(".rpm", "For RHEL 9, its relatives and Fedora (not tried there).", _NOTHING),
    "archive": Kind("archive", "For any Linux with glibc 2.31 or newer.", _NOTHING),
    "installer": Kind(
        "installer, .exe",
        f"For 64-bit Windows 10, Windows Server 2016 or newer. {_FILES} {_UNDER_WINE}",
        _NOTHING,
    ),
    "msi": Kind(
        "Windows Installer, .msi",
        f"For the same, by group policy, Intune and other roll-outs. {_FILES} {_UNDER_WINE}",
        _NOTHING,
    ),
    "pex": Kind(
        "single file",
        "For any Linux that has what it needs.",
        "Needs Python 3.11 or newer, and restic 0.14 or newer (0.18 for --overwrite, repair and retain).",
    ),
    OWN: Kind("", "Added by an administrator. It is not part of Strongroom.", ""),
}
