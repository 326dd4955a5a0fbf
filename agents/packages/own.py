"""Packages that administrators add, such as another maker's installer.

Their files are put into a folder of the host, not sent through the browser: the edge lets people send 256 KiB, and an
address that takes gigabytes from whoever comes would have to be guarded by itself. On the admin site one of the files
is chosen, described and published.
"""

import stat
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction

from agents.models import AgentPackage
from agents.packages.kinds import OWN
from agents.packages.publish import About, publish
from portal.core.actor import Actor
from portal.core.errors import Invalid
from portal.core.sizes import write

LARGEST = 4 << 30  # bytes


def incoming() -> Path:
    """The folder that the files are put into."""
    return Path(settings.DATA) / "agents-incoming"


def waiting() -> list[str]:
    """The names of the files that lie there, sorted; links, folders and hidden files do not count."""
    folder = incoming()
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(path.name for path in files if not path.name.startswith(".") and stat.S_ISREG(path.lstat().st_mode))


def add(name: str, about: dict[str, str], *, actor: Actor) -> AgentPackage:
    """Publish the file that lies in the folder under its name, and take it out of there; an older one of that name is
    withdrawn. `about` has platform, architecture, version and notes. Raises Invalid where it cannot be published."""
    if name not in waiting():
        raise Invalid({"file": [f"There is no such file in {incoming()}."]})
    path = incoming() / name
    if path.stat().st_size > LARGEST:
        raise Invalid({"file": [f"It is larger than {write(LARGEST)}."]})
    package = publish(path, About(**about, kind=OWN, title=name), actor=actor)
    transaction.on_commit(partial(path.unlink, missing_ok=True))
    return package
