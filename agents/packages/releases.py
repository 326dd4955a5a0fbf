"""Publishing releases that machines update themselves to, and who of them gets one: administrators' stages.

The newest release is shown to each machine that asks, as it was signed; the stage only says who takes it yet. So a
portal in wrong hands can keep machines from an update until the manifest ends, and nothing more.
"""

import hashlib
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents.models import AgentRelease
from agents.packages import release_manifest
from agents.packages.publish import take
from agents.packages.release_manifest import Manifest, ReleaseFile, order
from agents.states import ReleaseState
from portal.accounts.models import Subscription
from portal.accounts.rules import require_administrator
from portal.audit.actions import Action
from portal.audit.record import record
from portal.audit.transitions import advance
from portal.core.actor import Actor
from portal.core.errors import Invalid, NotFound, StaleState

FILE = "release.json"
SHARES = (0, 5, 25, 100)
"""Percent of all machines, from which one is chosen."""


def publish(folder: Path, *, actor: Actor) -> tuple[AgentRelease, bool]:
    """The release that the folder holds, and whether it is new: of one that is known only the manifest is renewed.

    It begins with no machine. Its files are copied; those of the one before leave the folder with the commit. Raises
    Invalid for what no agent would take, or is not whole.
    """
    manifest = release_manifest.read(folder / FILE, settings.AGENT_UPDATE_KEYS)
    if manifest.expires <= timezone.now():
        raise _refused("Its manifest has ended. Sign it again: python -m deploy.update_key renew.")
    _require_newer(manifest)  # before gigabytes are copied; what counts is the second time
    for each in manifest.files:
        _take_file(folder, each)
    with transaction.atomic():
        AgentRelease.objects.select_for_update().order_by("-serial").first()
        known = _require_newer(manifest)
        if known is not None:
            return _renew(known, manifest, actor), False
        release = AgentRelease.objects.create(
            version=manifest.version,
            serial=manifest.serial,
            expires_at=manifest.expires,
            manifest=manifest.envelope,
            files=manifest.listed,
            published_at=timezone.now(),
        )
        record(Action.AGENT_RELEASE_PUBLISH, actor=actor, target=release, detail=_facts(manifest))
        for other in AgentRelease.objects.exclude(pk=release.pk).filter(state__in=_LIVE):
            advance(other, ReleaseState.REPLACED, actor=actor, detail={"by": release.version})
            _drop_files(other)
    return release, True


_LIVE = (ReleaseState.OFFERED, ReleaseState.PAUSED)


def stage(release_id: UUID, share: int, subscriptions: Sequence[Subscription], *, actor: Actor) -> AgentRelease:
    """Let so many percent of machines, and all of the subscriptions, take the release. Raises NotFound, NotAllowed,
    Invalid, and StaleState when it is withdrawn or replaced meanwhile."""
    with transaction.atomic():
        release = _worked_on(release_id, actor)
        if share not in SHARES:
            raise Invalid({"share": [f"One of {', '.join(map(str, SHARES))}."]})
        if release.state not in _LIVE:
            raise StaleState(f"Release {release} is {release.state} by now.", remedy="Reload the page.")
        before = {"from": release.share}
        release.share = share
        release.save(update_fields=["share", "updated_at"])
        release.subscriptions.set(subscriptions)
        names = [each.name for each in subscriptions]
        detail = {**before, "share": share, **({"subscriptions": names} if names else {})}
        record(Action.AGENT_RELEASE_STAGE, actor=actor, target=release, detail=detail)
    return release


def pause(release_id: UUID, *, actor: Actor) -> AgentRelease:
    """No further machine takes it. Raises NotFound, NotAllowed, StaleState."""
    return _move(release_id, ReleaseState.PAUSED, actor)


def resume(release_id: UUID, *, actor: Actor) -> AgentRelease:
    """Machines of its stage take it again. Raises NotFound, NotAllowed, StaleState."""
    return _move(release_id, ReleaseState.OFFERED, actor)


def withdraw(release_id: UUID, *, actor: Actor) -> AgentRelease:
    """No machine takes it any more, for good; with the commit its files are gone. Machines that have it keep it until
    there is a newer one. Raises NotFound, NotAllowed, StaleState."""
    return _move(release_id, ReleaseState.WITHDRAWN, actor)


def newest() -> AgentRelease | None:
    """The release with the highest serial, whatever became of it: machines have seen that serial, and take an older
    manifest for an attack."""
    return AgentRelease.objects.order_by("-serial").first()


def _move(release_id: UUID, to: ReleaseState, actor: Actor) -> AgentRelease:
    with transaction.atomic():
        release = _worked_on(release_id, actor)
        if not AgentRelease.STATES.allows(release.state, to):
            raise StaleState(f"Release {release} is {release.state} by now.", remedy="Reload the page.")
        advance(release, to, actor=actor)
        if to == ReleaseState.WITHDRAWN:
            _drop_files(release)
    return release


def _worked_on(release_id: UUID, actor: Actor) -> AgentRelease:
    require_administrator(actor)
    release = AgentRelease.objects.select_for_update().filter(pk=release_id).first()
    if release is None:
        raise NotFound("There is no such release.")
    return release


def _require_newer(manifest: Manifest) -> AgentRelease | None:
    """The release that this renews, None for a new one. Raises Invalid for what machines would not take."""
    releases = list(AgentRelease.objects.order_by("-serial"))
    known = next((each for each in releases if each.version == manifest.version), None)
    if releases and manifest.serial <= releases[0].serial:
        raise _refused(
            f"Its serial {manifest.serial} is not above that of release {releases[0]}, so machines would take it "
            "for an attack. Sign it again: python -m deploy.update_key renew."
        )
    if known is not None:
        if known.state not in _LIVE:
            raise _refused(f"Release {known} is {known.state}. Publish another version.")
        if known.files != manifest.listed:
            raise _refused(f"Release {known} has other files: a version stands for the same bytes for ever.")
    elif releases and order(manifest.version) <= max(order(each.version) for each in releases):
        raise _refused("Its version is not above those that were published, so machines would not take it.")
    return known


def _renew(release: AgentRelease, manifest: Manifest, actor: Actor) -> AgentRelease:
    release.serial, release.expires_at, release.manifest = manifest.serial, manifest.expires, manifest.envelope
    release.save(update_fields=["serial", "expires_at", "manifest", "updated_at"])
    record(Action.AGENT_RELEASE_RENEW, actor=actor, target=release, detail=_facts(manifest))
    return release


def _facts(manifest: Manifest) -> dict[str, object]:
    return {"serial": manifest.serial, "until": manifest.expires.isoformat(), "key": manifest.envelope["key"]}


def _take_file(folder: Path, wanted: ReleaseFile) -> None:
    """Copy it to where the edge serves it from, unless it lies there whole already."""
    place = Path(settings.AGENT_PACKAGES) / wanted.name
    if place.is_file() and _digest(place) == wanted.sha256:
        return
    try:
        taken = take(folder / wanted.name, settings.AGENT_PACKAGES)
    except FileNotFoundError as error:
        raise _refused(f"{folder / wanted.name} is not there.") from error
    if (taken.size, taken.sha256) != (wanted.size, wanted.sha256):
        taken.draft.unlink()
        raise _refused(f"{folder / wanted.name} is not the file that was signed.")
    os.replace(taken.draft, place)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _drop_files(release: AgentRelease) -> None:
    for each in release.files:
        path = Path(settings.AGENT_PACKAGES) / each["name"]
        transaction.on_commit(partial(path.unlink, missing_ok=True), robust=True)


def _refused(what: str) -> Invalid:
    return Invalid({"release": [what]})
