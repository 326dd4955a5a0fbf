"""A release: a folder with the files for machines, and `release.json`, the signed manifest of them."""

import base64
import hashlib
import json
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from strongroom_agent.update import manifest
from strongroom_agent.update.manifest import FORMAT, SIGNED_AS, Release

from deploy.update_key import keys

FILE = "release.json"
BUILT = "packages.json"
UPDATES_ITSELF = {"archive": ".tar.gz", "pex": ""}
"""The kinds of packages that exchange themselves, with how their files end; apt and dnf see to the others."""


class ReleaseTrouble(Exception):
    """A release cannot be made of this; says why, and what to do."""


@dataclass(frozen=True)
class Given:
    """A package that goes into the release."""

    platform: str
    architecture: str
    kind: str
    path: Path


def built(folder: Path) -> tuple[str, list[Given]]:
    """The version, and the packages that exchange themselves, of what `python -m deploy.agents` has built."""
    try:
        listed = json.loads((folder / BUILT).read_text())
        versions = {str(each["version"]) for each in listed}
        found = [
            Given(each["platform"], each["architecture"], each["kind"], folder / each["file"])
            for each in listed
            if each["kind"] in UPDATES_ITSELF
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseTrouble(f"{folder / BUILT} cannot be read ({error}). Build the packages: make agents.") from error
    if len(versions) != 1 or not found:
        raise ReleaseTrouble(f"{folder / BUILT} does not list packages of one version that exchange themselves.")
    return versions.pop(), found


def sign(output: Path, version: str, given: Iterable[Given], key: Ed25519PrivateKey, *, days: int) -> Release:
    """Make the folder `output` with copies of the files and the manifest, which counts for so many days.

    ReleaseTrouble where a file is missing or there is a release in the folder already.
    """
    if (output / FILE).exists():
        raise ReleaseTrouble(f"{output} has a release already. Renew that one, or give another folder.")
    output.mkdir(parents=True, exist_ok=True)
    return _write(output, version, [_copied(each, version, output) for each in given], key, days=days, least=1)


def renew(folder: Path, key: Ed25519PrivateKey, *, days: int) -> Release:
    """Sign the release of the folder again, with a higher serial: the same version and files count for longer."""
    before = opened(folder)
    files = json.loads(json.loads((folder / FILE).read_text())["signed"])["files"]
    for each in before.files:
        path = folder / each.name
        if path.exists() and _digest(path) != each.sha256:
            raise ReleaseTrouble(f"{path} is not what the manifest says. Nothing was signed.")
    return _write(folder, before.version, files, key, days=days, least=before.serial + 1)


def opened(folder: Path) -> Release:
    """What the manifest of the folder says; by whom it is signed is not looked at."""
    try:
        return manifest.parsed(json.loads((folder / FILE).read_text())["signed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseTrouble(f"{folder / FILE} is no manifest ({error}).") from error


def envelope(text: str, key: Ed25519PrivateKey) -> dict[str, str]:
    """The signed text, as the portal shows it."""
    signature = base64.b64encode(key.sign(SIGNED_AS + text.encode())).decode()
    return {"format": FORMAT, "key": keys.id_of(key), "signature": signature, "signed": text}


def _write(
    folder: Path, version: str, files: list[dict[str, object]], key: Ed25519PrivateKey, *, days: int, least: int
) -> Release:
    """The serial is the time in seconds, so that it rises whichever computer signs."""
    now = datetime.now(UTC).replace(microsecond=0)
    said: dict[str, object] = {
        "version": version,
        "serial": max(least, int(time.time())),
        "issued": _stamp(now),
        "expires": _stamp(now + timedelta(days=days)),
        "files": files,
    }
    text = manifest.canonical(said)
    try:
        made = manifest.parsed(text)
    except (ValueError, TypeError) as error:
        raise ReleaseTrouble(f"Agents would not take this: {error}.") from error
    draft = folder / f".{FILE}"
    draft.write_text(json.dumps(envelope(text, key), indent=2) + "\n")
    draft.replace(folder / FILE)
    return made


def _copied(given: Given, version: str, folder: Path) -> dict[str, object]:
    if given.kind not in UPDATES_ITSELF:
        raise ReleaseTrouble(f"{given.kind}: only {', '.join(UPDATES_ITSELF)} exchange themselves.")
    if not given.path.is_file():
        raise ReleaseTrouble(f"{given.path} is not there.")
    digest = _digest(given.path)
    facts = f"{version}-{given.platform}-{given.architecture}-{given.kind}-{digest[:8]}"
    name = f"strongroom-agent-update-{facts}{UPDATES_ITSELF[given.kind]}"
    shutil.copyfile(given.path, folder / name)
    (folder / name).chmod(0o644)
    about = {"platform": given.platform, "architecture": given.architecture, "kind": given.kind}
    return {**about, "name": name, "size": given.path.stat().st_size, "sha256": digest}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
