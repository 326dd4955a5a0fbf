"""Agent packages: taking a build into the folder that the edge serves, and taking it out again."""

import base64
import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents.models import AgentPackage
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import Actor
from portal.core.errors import Invalid, NotFound
from portal.pki import authorities
from portal.pki.crypto import keys

WINDOWS = "Agent for Windows Server or System Center Data Protection Manager or Windows Client"
PLATFORMS = {"windows": WINDOWS, "linux": "Agent for Linux", "macos": "Agent for macOS"}
"""What the agent is called by platform; the first is the name in the article that Strongroom follows."""
FILES_URL = "/agents/files/"
"""Where the edge serves the packages folder."""
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+]{0,15}")
_SUFFIX = re.compile(r"(\.[a-z0-9]{1,8})?")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Taken:
    """A copy of a build that lies in the folder under a name that nobody serves yet."""

    draft: Path
    size: int
    sha256: str


def publish(
    path: Path, *, platform: str, architecture: str, version: str, actor: Actor, sources: str = ""
) -> AgentPackage:
    """Copy the build at `path` into the packages folder, list it, and withdraw the older ones of its platform.

    The file's name carries the start of its digest, so a name always stands for the same bytes, and publishing the same
    build again changes nothing, unless it was withdrawn: then it is listed again. Beside it lies `<file>.sig`: the
    signature of its bytes, in DER, with the key that also signs credential files. `sources`: what it was built from, as
    agents.packages.build tells. Raises Invalid for names that do not fit, OSError when the file cannot be read or the
    folder not be written.
    """
    _check_names(path, platform, architecture, version)
    taken = _take(path, settings.AGENT_PACKAGES)
    name = f"strongroom-agent-{version}-{platform}-{architecture}-{taken.sha256[:8]}{path.suffix}"
    _sign(taken.draft, name)
    os.replace(taken.draft, settings.AGENT_PACKAGES / name)
    facts = {"platform": platform, "architecture": architecture, "version": version}
    built_from = {"sources": sources} if sources else {}
    with transaction.atomic():
        package = _list(name, taken, facts, actor)
        AgentPackage.objects.filter(pk=package.pk).update(**built_from, kept_back=False)
        older = AgentPackage.objects.filter(platform=platform, architecture=architecture, withdrawn_at=None)
        for other in older.exclude(pk=package.pk):
            _withdraw(other, actor)
    return package


def withdraw(package_id: int, *, actor: Actor) -> None:
    """Take the package off the list, and with the commit its file out of the folder; raises NotFound if unlisted.

    It stays withdrawn until somebody publishes it again by hand.
    """
    with transaction.atomic():
        package = AgentPackage.objects.filter(pk=package_id, withdrawn_at=None).first()
        if package is None:
            raise NotFound("This package is not published.")
        AgentPackage.objects.filter(pk=package.pk).update(kept_back=True)
        _withdraw(package, actor)


def signature_name(file_name: str) -> str:
    """The name of the file with the signature of `file_name`."""
    return f"{file_name}.sig"


def _check_names(path: Path, platform: str, architecture: str, version: str) -> None:
    errors: dict[str, list[str]] = {}
    if platform not in PLATFORMS:
        errors["platform"] = [f"One of {', '.join(PLATFORMS)}."]
    for field, value in (("architecture", architecture), ("version", version)):
        if not _WORD.fullmatch(value):
            errors[field] = ["Up to 16 letters, digits, dots, plus signs or underscores."]
    if not _SUFFIX.fullmatch(path.suffix):
        errors["path"] = ["The file's extension must be up to eight lower-case letters or digits."]
    if errors:
        raise Invalid(errors)


def _take(path: Path, folder: Path) -> _Taken:
    """Copy `path` to a draft in `folder`, on disk when this returns; readers of the folder never see half a file."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".draft-{secrets.token_hex(8)}"
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as source, draft.open("xb") as copy:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += copy.write(chunk)
            copy.flush()
            os.fchmod(copy.fileno(), 0o644)
            os.fsync(copy.fileno())
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return _Taken(draft, size, digest.hexdigest())


def _sign(draft: Path, name: str) -> None:
    """Put the signature of `draft` into the folder, under the name it has beside `name`."""
    signature = base64.b64decode(keys.sign(authorities.signing_key(), draft.read_bytes()))
    unfinished = draft.with_suffix(".sig")
    unfinished.write_bytes(signature)
    unfinished.replace(draft.with_name(signature_name(name)))


def _list(name: str, taken: _Taken, facts: dict[str, str], actor: Actor) -> AgentPackage:
    package, created = AgentPackage.objects.get_or_create(
        file_name=name,
        defaults={**facts, "size": taken.size, "sha256": taken.sha256, "published_at": timezone.now()},
    )
    if not created and package.withdrawn_at is None:
        return package
    if not created:
        package.withdrawn_at, package.published_at = None, timezone.now()
        package.save(update_fields=["withdrawn_at", "published_at"])
    record(Action.AGENT_PACKAGE_PUBLISH, actor=actor, target=package, detail={**facts, "sha256": taken.sha256})
    return package


def _withdraw(package: AgentPackage, actor: Actor) -> None:
    package.withdrawn_at = timezone.now()
    package.save(update_fields=["withdrawn_at"])
    record(Action.AGENT_PACKAGE_WITHDRAW, actor=actor, target=package, detail={"sha256": package.sha256})
    # A file that stays behind when this fails is no longer listed anywhere; whoever is downloading it gets all of it.
    for name in (package.file_name, signature_name(package.file_name)):
        transaction.on_commit(partial((settings.AGENT_PACKAGES / name).unlink, missing_ok=True), robust=True)
