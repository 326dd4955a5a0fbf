"""The manifest of a release, as somebody with an update key has signed it on another computer (docs/updating.md).

Agents believe it by its signature alone, whatever this portal says. It is looked at here so that nothing is published
that no agent would take.
"""

import base64
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from portal.core.errors import Invalid
from portal.pki.crypto.ed25519 import require_signature
from portal.pki.crypto.errors import Unacceptable

FORMAT = "strongroom-release/1"
SIGNED_AS = b"strongroom-release-1\n"
LONGEST = 128 * 1024  # bytes of the file
_NAME = re.compile(r"strongroom-agent-update-[A-Za-z0-9._+-]{1,96}")
_VERSION = re.compile(r"(0|[1-9]\d{0,5})(\.(0|[1-9]\d{0,5})){1,3}")


@dataclass(frozen=True)
class ReleaseFile:
    """A file for machines of one platform, processor and kind of package."""

    platform: str
    architecture: str
    kind: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What was signed, and the envelope that machines are shown."""

    envelope: dict[str, str]
    version: str
    serial: int
    expires: datetime
    files: tuple[ReleaseFile, ...]

    @property
    def listed(self) -> list[dict[str, object]]:
        """Its files, as they are stored."""
        return [asdict(each) for each in self.files]


def read(path: Path, keys_file: str) -> Manifest:
    """The manifest in the file, signed with one of the keys that this portal's agents have. Raises Invalid."""
    keys = _keys(keys_file)
    try:
        with path.open("rb") as file:
            envelope = json.loads(file.read(LONGEST))
        text, key = envelope["signed"], envelope["key"]
        if envelope["format"] != FORMAT or set(envelope) != {"format", "key", "signature", "signed"}:
            raise ValueError("it is of another format")
        signature = base64.b64decode(envelope["signature"], validate=True)
        content = SIGNED_AS + text.encode()
    except OSError as error:
        raise _wrong(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _wrong(f"{path} is no signed manifest ({error}).") from error
    if key not in keys:
        raise _wrong(f"It is signed with key {key!s:.16}, which this portal's agents do not know ({keys_file}).")
    try:
        require_signature(keys[key], signature, content)
    except Unacceptable as error:
        raise _wrong("Its signature does not fit: it was changed after it was signed.") from error
    try:
        return _parsed(text, envelope)
    except (ValueError, KeyError, TypeError) as error:
        raise _wrong(f"What was signed is no manifest ({error}).") from error


def order(version: str) -> tuple[int, ...]:
    """A version as numbers, for comparing."""
    numbers = [int(part) for part in version.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _keys(keys_file: str) -> dict[str, bytes]:
    """The public keys by the ids that manifests name them with."""
    if not keys_file:
        raise Invalid(
            {
                "keys": [
                    "This portal's agents are built without update keys, so none of them would take it. Set "
                    "AGENT_UPDATE_KEYS to the file with the public keys, as docs/updating.md says."
                ]
            }
        )
    try:
        raw = [base64.b64decode(each, validate=True) for each in json.loads(Path(keys_file).read_text())["keys"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid({"keys": [f"{keys_file} holds no public update keys ({error})."]}) from error
    return {hashlib.sha256(each).hexdigest()[:16]: each for each in raw}


def _parsed(text: str, envelope: dict[str, str]) -> Manifest:
    said = json.loads(text)
    files = tuple(ReleaseFile(**each) for each in said["files"])
    for each in files:
        if not _NAME.fullmatch(each.name) or type(each.size) is not int:
            raise ValueError(f"the file {each.name!r}")
    if not _VERSION.fullmatch(said["version"]) or type(said["serial"]) is not int or not files:
        raise ValueError("version, serial or files")
    expires = datetime.strptime(said["expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return Manifest(envelope, said["version"], said["serial"], expires, files)


def _wrong(what: str) -> Invalid:
    return Invalid({"manifest": [what]})
