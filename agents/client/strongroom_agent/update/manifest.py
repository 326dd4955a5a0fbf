"""The manifest of a release: what is in it, and whether somebody with an update key has said so.

What was signed is a text, kept as it is: `signed`, JSON in its canonical form (keys sorted, no spaces). The signature
(Ed25519) is over SIGNED_AS and the bytes of that text, so that no other thing signed with the same key can pass for it.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.times import for_people

from .keys import Keys, signed_by

FORMAT = "strongroom-release/1"
SIGNED_AS = b"strongroom-release-1\n"
LONGEST = 64 * 1024  # characters of the signed text
LARGEST = 1 << 30  # bytes of a file
MOST_FILES = 50
_VERSION = re.compile(r"(0|[1-9]\d{0,5})(\.(0|[1-9]\d{0,5})){1,3}")
_NAME = re.compile(r"strongroom-agent-update-[A-Za-z0-9._+-]{1,96}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,15}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_TELL = "Nothing was changed. Tell an administrator of the portal."


@dataclass(frozen=True)
class ReleaseFile:
    """A file of a release: for which platform, processor and kind of package, and its exact bytes."""

    platform: str
    architecture: str
    kind: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Release:
    """`serial` rises with each manifest that is signed, also where one only renews the one before."""

    version: str
    serial: int
    issued: datetime
    expires: datetime
    files: tuple[ReleaseFile, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """For comparing versions."""
        return order(self.version)

    def file(self, platform: str, architecture: str, kind: str) -> ReleaseFile | None:
        """The file for such a machine; None where the release has none."""
        wanted = (platform, architecture, kind)
        return next((each for each in self.files if (each.platform, each.architecture, each.kind) == wanted), None)


def order(version: str) -> tuple[int, ...]:
    """A version as numbers, without zeros behind. ValueError for what is no version."""
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is no version")
    numbers = [int(part) for part in version.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def verified(envelope: object, keys: Keys) -> Release:
    """The release, once one of the keys has signed it; how old it is has not been looked at.

    AgentError `update_not_signed` when none has, and `update_not_understood` for what is signed and yet no manifest.
    """
    try:
        key, signature, text = _opened(envelope)
    except (TypeError, ValueError, KeyError) as error:
        raise _not_signed("it is no signed manifest") from error
    if key not in keys:
        raise _not_signed("it is signed with a key that this agent does not know")
    if not signed_by(keys[key], signature, SIGNED_AS + text.encode()):
        raise _not_signed("its signature does not fit it")
    try:
        return parsed(text)
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise AgentError(
            "update_not_understood",
            f"The portal shows a release whose manifest this agent cannot use: {error}. {_TELL}",
            "If it is for newer agents, set this machine up again with a package from the Agents page.",
        ) from error


def require_current(release: Release, *, serial: int, now: datetime) -> None:
    """AgentError `update_rolled_back` for a manifest older than one that was seen (`serial`), and `update_expired` for
    one whose time is over: then somebody may be keeping newer ones from this machine."""
    if release.serial < serial:
        raise AgentError(
            "update_rolled_back",
            f"The portal shows release {release.version} with serial {release.serial}, but has shown serial {serial} "
            f"before. {_TELL}",
            "Somebody may be trying to bring back an old version, or the portal was restored from an old backup: then "
            "an administrator signs the release again and publishes it.",
        )
    if now >= release.expires:
        days = (now - release.expires).days
        since = f"{days} days ago" if days > 1 else "not long ago"
        raise AgentError(
            "update_expired",
            f"The release that the portal shows, {release.version}, counts no more: its manifest ended "
            f"{for_people(release.expires)}, {since}. Either nobody has renewed it, or somebody is keeping newer "
            f"releases from this machine. {_TELL}",
            "An administrator renews the manifest with the update key (python -m deploy.update_key renew) and "
            "publishes it. If that was done, see whether this machine's clock is right.",
        )


def _opened(envelope: object) -> tuple[str, bytes, str]:
    if not isinstance(envelope, dict) or envelope.keys() != {"format", "key", "signature", "signed"}:
        raise TypeError("no envelope")
    texts = {name: str(value) for name, value in envelope.items() if isinstance(value, str)}
    if texts["format"] != FORMAT or len(texts["signed"]) > LONGEST or len(texts["signature"]) > 128:
        raise ValueError("no envelope of ours")
    texts["signed"].encode()
    return texts["key"], base64.b64decode(texts["signature"], validate=True), texts["signed"]


def parsed(text: str) -> Release:
    """What a signed text says, read strictly. KeyError, TypeError, ValueError or RecursionError for anything else."""
    said = json.loads(text)
    if not isinstance(said, dict) or canonical(said) != text:
        raise ValueError("it is not in its canonical form")
    if said.keys() != {"version", "serial", "issued", "expires", "files"}:
        raise ValueError("it has other fields than a manifest")
    files = said["files"]
    if not isinstance(files, list) or not 1 <= len(files) <= MOST_FILES:
        raise ValueError("it lists no files, or too many")
    found = tuple(_file(each) for each in files)
    if len({(each.platform, each.architecture, each.kind) for each in found}) != len(found):
        raise ValueError("it lists two files for the same machines")
    release = Release(
        version=_text(said, "version", _VERSION),
        serial=_number(said, "serial", 1, 2**53),
        issued=_time(said, "issued"),
        expires=_time(said, "expires"),
        files=found,
    )
    if release.expires <= release.issued:
        raise ValueError("it ends before it begins")
    return release


def canonical(value: object) -> str:
    """JSON with sorted keys, without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _file(value: object) -> ReleaseFile:
    if not isinstance(value, dict) or value.keys() != {"platform", "architecture", "kind", "name", "size", "sha256"}:
        raise ValueError("a file of it is none")
    return ReleaseFile(
        platform=_text(value, "platform", _WORD),
        architecture=_text(value, "architecture", _WORD),
        kind=_text(value, "kind", _WORD),
        name=_text(value, "name", _NAME),
        size=_number(value, "size", 1, LARGEST),
        sha256=_text(value, "sha256", _SHA256),
    )


def _text(said: Mapping[str, object], name: str, form: re.Pattern[str]) -> str:
    value = said[name]
    if not isinstance(value, str) or not form.fullmatch(value):
        raise ValueError(f"its {name} is none")
    return value


def _number(said: Mapping[str, object], name: str, least: int, most: int) -> int:
    value = said[name]
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"its {name} is none")
    return value


def _time(said: Mapping[str, object], name: str) -> datetime:
    return datetime.strptime(_text(said, name, _TIME), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _not_signed(why: str) -> AgentError:
    return AgentError(
        "update_not_signed",
        f"The portal shows a release that this agent does not believe: {why}. Nothing was changed.",
        "Tell an administrator of the portal: somebody may have changed it. If the update keys were exchanged, set "
        "this machine up again with a package from the Agents page.",
    )
