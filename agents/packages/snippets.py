"""Snippets for what brings files and commands to many machines, filled in with the package that there is now.

They lie in `rollout/` as what they are, with words behind percent signs to fill in. All take a credential file that was
issued for many machines, and have each machine make its own passphrase.
"""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from agents.packages import one_line
from agents.packages.choice import best_for
from agents.packages.shell_commands import INSTALLED, KEPT

FOLDER = Path(__file__).parent / "rollout"
_WORD = re.compile(r"%\{(\w+)\}")


@dataclass(frozen=True)
class Snippet:
    """A file to copy: `tried` says how far it was."""

    key: str
    name: str
    file_name: str
    text: str
    tried: str


_KINDS = (
    ("ansible", "Ansible", "ansible.yml", "linux", "Run by ansible-core against one machine, twice."),
    ("cloud-init", "cloud-init", "cloud-init.yaml", "linux", "Checked against the schema; its commands were run."),
    ("intune", "Intune or group policy", "intune.ps1", "windows", "Its syntax was checked; not run on Windows."),
    ("container", "Container image", "Containerfile", "linux", "Its instructions were read; not built."),
)


def all_of() -> list[Snippet]:
    """One for each way, where there is a package for its platform."""
    return [Snippet(*kind[:3], text, kind[4]) for kind in _KINDS if (text := _text(kind[2], kind[3]))]


def _text(file_name: str, platform: str) -> str:
    choice = best_for(platform)
    line = one_line.with_file(_CREDENTIALS[file_name], choice)
    if choice is None or line is None:
        return ""
    words = {
        "url": one_line.address_of(choice.package),
        "sha256": choice.package.sha256,
        "install": str(PurePosixPath(INSTALLED).parent),
        "kept": KEPT,
        "command": line.text if platform == "windows" else json.dumps(shlex.split(line.text)),
    }
    return _WORD.sub(lambda match: words[match[1]], (FOLDER / f"{file_name}.in").read_text(encoding="utf-8"))


_CREDENTIALS = {
    "ansible.yml": "credentials.VaultCredentials",
    "cloud-init.yaml": "/run/strongroom.VaultCredentials",
    "intune.ps1": "credentials.VaultCredentials",
    "Containerfile": "/run/secrets/credentials",
}
