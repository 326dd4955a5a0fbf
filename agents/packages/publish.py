"""Agent packages: taking a build into the folder that the edge serves, and taking it out again."""

import hashlib
import os
import re
import secrets
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents.models import AgentPackage
from agents.packages.kinds import KINDS
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
_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SUFFIX = re.compile(r"(\.[a-z0-9]{1,8}|\.tar\.gz)?")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Taken:
    """A copy of a build that lies in the folder under a name that nobody serves yet."""

    draft: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class About:
    """What is said of a file that is to be published. `title` and `notes` are for what is none of our builds."""

    platform: str
    architecture: str
    version: str
    kind: str = "pex"
    title: str = ""
    notes: str = ""


def publish(path: Path, about: About, *, actor: Actor, sources: str = "", bill: Path | None = None) -> AgentPackage:
    """Copy the build at `path` into the packages folder, list it, and withdraw the older ones of its platform and kind.

    The file's name carries the start of its digest, so a name always stands for the same bytes, and publishing the same
    build again changes nothing, unless it was withdrawn: then it is listed again. Beside it lies `<file>.sig`: the
    signature of its bytes, in DER, with the key that also signs credential files. `sources`: what it was built from, as
    agents.packages.build tells; `bill`: its bill of materials, which then lies beside it as well. Raises Invalid for
    names that do not fit, OSError when the file cannot be read or the folder not be written.
    """
    _check_names(path, about)
    taken = take(path, settings.AGENT_PACKAGES)
    name = _file_name(path, about, taken)
    _sign(taken, name)
    if bill is not None:
        os.replace(take(bill, settings.AGENT_PACKAGES).draft, settings.AGENT_PACKAGES / bill_name(name))
    os.replace(taken.draft, settings.AGENT_PACKAGES / name)
    built_from = {"sources": sources} if sources else {}
    with transaction.atomic():
        package = _list(name, taken, about, actor)
        AgentPackage.objects.filter(pk=package.pk).update(**built_from, kept_back=False, has_bill=bill is not None)
        same = {key: getattr(about, key) for key in ("platform", "architecture", "kind", "title")}
        for other in AgentPackage.objects.filter(**same, withdrawn_at=None).exclude(pk=package.pk):
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


def bill_name(file_name: str) -> str:
    """The name of the file with the bill of materials of `file_name`."""
    return f"{file_name}.cdx.json"


def _check_names(path: Path, about: About) -> None:
    errors: dict[str, list[str]] = {}
    if about.platform not in PLATFORMS:
        errors["platform"] = [f"One of {', '.join(PLATFORMS)}."]
    if about.kind not in KINDS:
        errors["kind"] = [f"One of {', '.join(KINDS)}."]
    for field in ("architecture", "version"):
        if not _WORD.fullmatch(getattr(about, field)):
            errors[field] = ["Up to 16 letters, digits, dots, plus signs or underscores."]
    if about.title and not _TITLE.fullmatch(about.title):
        errors["path"] = ["The file's name must be up to 80 letters, digits, dots, hyphens or underscores."]
    elif not _SUFFIX.fullmatch(path.suffix if about.title else _suffix(path)):
        errors["path"] = ["The file's extension must be up to eight lower-case letters or digits."]
    if errors:
        raise Invalid(errors)


def _file_name(path: Path, about: About, taken: Taken) -> str:
    if about.title:
        own = PurePosixPath(about.title)
        return f"{own.stem}-{taken.sha256[:8]}{own.suffix}"
    facts = f"{about.version}-{about.platform}-{about.architecture}"
    return f"strongroom-agent-{facts}-{taken.sha256[:8]}{_suffix(path)}"


def _suffix(path: Path) -> str:
    return ".tar.gz" if path.name.endswith(".tar.gz") else path.suffix


def take(path: Path, folder: Path) -> Taken:
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
    return Taken(draft, size, digest.hexdigest())


def _sign(taken: Taken, name: str) -> None:
    """Put the signature of the draft into the folder, under the name it has beside `name`."""
    signature = keys.sign_digest(authorities.signing_key(), bytes.fromhex(taken.sha256))
    unfinished = taken.draft.with_suffix(".sig")
    unfinished.write_bytes(signature)
    unfinished.replace(taken.draft.with_name(signature_name(name)))


def _list(name: str, taken: Taken, about: About, actor: Actor) -> AgentPackage:
    facts = asdict(about)
    package, created = AgentPackage.objects.get_or_create(
        file_name=name,
        defaults={**facts, "size": taken.size, "sha256": taken.sha256, "published_at": timezone.now()},
    )
    if not created and package.withdrawn_at is None:
        return package
    if not created:
        package.withdrawn_at, package.published_at, package.notes = None, timezone.now(), about.notes
        package.save(update_fields=["withdrawn_at", "published_at", "notes"])
    told = {key: value for key, value in facts.items() if value}
    record(Action.AGENT_PACKAGE_PUBLISH, actor=actor, target=package, detail={**told, "sha256": taken.sha256})
    return package


def _withdraw(package: AgentPackage, actor: Actor) -> None:
    package.withdrawn_at = timezone.now()
    package.save(update_fields=["withdrawn_at"])
    record(Action.AGENT_PACKAGE_WITHDRAW, actor=actor, target=package, detail={"sha256": package.sha256})
    # A file that stays behind when this fails is no longer listed anywhere; whoever is downloading it gets all of it.
    file = package.file_name
    for name in (file, signature_name(file), bill_name(file)):
        transaction.on_commit(partial((settings.AGENT_PACKAGES / name).unlink, missing_ok=True), robust=True)
