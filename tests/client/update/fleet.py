"""A machine whose agent updates itself, the portal that shows it releases, and who signs them."""

import hashlib
import json
import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from strongroom_agent.update import manifest

from deploy.update_key import keys, release
from tests.client.world import World, one_object

from . import program

OLD, NEW, NEWER = "1.0.0", "1.1.0", "1.2.0"


@dataclass
class Signers:
    """The two keys of a site, and the archives of its versions, made once each."""

    folder: Path
    first: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    second: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    archives: dict[str, bytes] = field(default_factory=dict)

    @property
    def public(self) -> str:
        """What its agents are built with."""
        return keys.public([self.first, self.second])

    def archive(self, version: str, name: str = "", change: Callable[[Path], None] | None = None) -> bytes:
        """The archive of a version; `change` breaks it first, and `name` says how."""
        known = f"{version} {name}"
        if known not in self.archives:
            tree = program.folder(self.folder / known.replace(" ", "-"), version, self.public)
            if change:
                change(tree)
            self.archives[known] = program.archive(tree)
        return self.archives[known]

    def envelope(self, said: dict[str, Any], key: Ed25519PrivateKey | None = None) -> dict[str, str]:
        """What somebody with the key has signed."""
        return release.envelope(manifest.canonical(said), key or self.first)


@dataclass
class Updating:
    """A registered machine with version OLD in its place."""

    world: World
    signers: Signers

    @property
    def place(self) -> Path:
        return self.world.root / "place"

    @property
    def program(self) -> Path:
        return self.place / "strongroom-agent"

    @property
    def version(self) -> str:
        """What the program says when somebody starts it."""
        done = subprocess.run(
            [self.program, "--version"], env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip().removeprefix("strongroom-agent ")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.world.root),
            "STRONGROOM_AGENT_HOME": str(self.world.home),
        }

    @property
    def memory(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.world.home / "update.json").read_text())
        return found

    @property
    def versions(self) -> list[str]:
        """The folders that updates have left."""
        return sorted(path.name.split("-")[0] for path in (self.place / ".strongroom-agent").iterdir() if path.is_dir())

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the program that is installed, as a person or a schedule does."""
        return subprocess.Popen(
            [self.program, *arguments, "--json"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Its exit status and answer."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        assert out, err
        return process.returncode, one_object(out, process.returncode)

    def shows(self, envelope: object, take: bool = True, why: str = "") -> None:
        """From now on the portal shows this release."""
        self.world.peer.release = {"manifest": envelope, "take": take, "why": why}

    def publish(
        self,
        version: str = NEW,
        content: bytes | None = None,
        *,
        key: Ed25519PrivateKey | None = None,
        take: bool = True,
        why: str = "",
        **other: Any,
    ) -> dict[str, Any]:
        """Sign a release and show it; `other` replaces fields of its manifest. What was signed."""
        content = self.signers.archive(version) if content is None else content
        said = {**self.said(version, content), **other}
        for file in said["files"]:
            self.world.peer.files[file["name"]] = content
        self.shows(self.signers.envelope(said, key), take, why)
        return said

    def said(self, version: str, content: bytes, **file: Any) -> dict[str, Any]:
        """The manifest of a release of one file for this machine."""
        digest = hashlib.sha256(content).hexdigest()
        now = datetime.now(UTC)
        about = {
            "platform": "linux",
            "architecture": platform.machine(),
            "kind": "archive",
            "name": f"strongroom-agent-update-{version}-{digest[:8]}.tar.gz",
            "size": len(content),
            "sha256": digest,
            **file,
        }
        return {
            "version": version,
            "serial": int(time.time() * 1000),
            "issued": stamp(now),
            "expires": stamp(now + timedelta(days=30)),
            "files": [about],
        }

    def heard(self) -> list[Any]:
        """What the portal was told of updates, one after the other, without repetitions."""
        said = [(each["update"] or {}) for each in self.world.peer.heartbeats]
        told = [(each.get("state"), each.get("version"), each.get("code")) for each in said]
        return [each for number, each in enumerate(told) if number == 0 or told[number - 1] != each]


def stamp(moment: datetime) -> str:
    """A time as manifests have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def kill(process: "subprocess.Popen[str]") -> None:
    """`kill -9` of the program and of all that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
