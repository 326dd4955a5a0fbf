"""Releases: what is published, what no machine would take, and who gets one when."""

import hashlib
import json
import uuid
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from strongroom_agent.update.manifest import canonical

from agents.models import AgentRelease, Machine
from agents.packages import releases, updates
from agents.states import ReleaseState
from deploy.update_key import release
from portal.accounts.models import Subscription, User
from portal.audit.models import AuditEvent
from portal.core.errors import Invalid, NotAllowed, NotFound, StaleState
from tests.agents import peer
from tests.agents.factories import COMMAND
from tests.agents.packages.signing import Signer
from tests.agents.peer import refused, say
from tests.factories import as_actor

pytestmark = pytest.mark.django_db
QUESTION = {"version": "1.0.0", "platform": "linux", "architecture": "x86_64", "kind": "pex"}


@pytest.fixture
def signer(settings: Settings, tmp_path: Path) -> Signer:
    """Somebody whose key this portal's agents know."""
    (tmp_path / "elsewhere").mkdir()
    signer = Signer(tmp_path / "elsewhere")
    settings.AGENT_PACKAGES, settings.AGENT_UPDATE_KEYS = tmp_path / "agents", signer.public()
    return signer


def publish(folder: Path) -> AgentRelease:
    return releases.publish(folder, actor=COMMAND)[0]


def reason(folder: Path) -> str:
    """Why it is not published; nothing was."""
    before = list(AgentRelease.objects.values_list("version", "serial"))
    with pytest.raises(Invalid) as error:
        publish(folder)
    assert list(AgentRelease.objects.values_list("version", "serial")) == before
    return " ".join(each for messages in error.value.errors.values() for each in messages)


def served(settings: Settings) -> list[str]:
    return sorted(path.name.split("-")[3] for path in settings.AGENT_PACKAGES.iterdir())


def actions() -> list[str]:
    found = AuditEvent.objects.filter(action__startswith="agent-release:").order_by("id")
    return [entry.action.removeprefix("agent-release:") for entry in found]


class TestPublishing:
    def test_it_begins_with_no_machine_and_its_file_is_served(
        self, signer: Signer, settings: Settings, machine: peer.Machine
    ) -> None:
        folder = signer.release()
        found = publish(folder)
        assert (found.version, found.state, found.share) == ("1.1.0", "Offered", 0)
        (file,) = found.files
        content = (settings.AGENT_PACKAGES / file["name"]).read_bytes()
        assert (content, hashlib.sha256(content).hexdigest()) == (b"the agent", file["sha256"])
        assert found.manifest == json.loads((folder / "release.json").read_text())
        assert say(machine.holder, "update", **QUESTION).json()["take"] is False
        entry = AuditEvent.objects.get(action="agent-release:publish")
        assert (entry.detail["serial"], entry.detail["key"]) == (found.serial, found.manifest["key"])

    def test_a_newer_one_replaces_it_and_takes_its_files_away(
        self, signer: Signer, settings: Settings, django_capture_on_commit_callbacks: object
    ) -> None:
        publish(signer.release())
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            renewed(signer.release("1.2.0", b"another"))
            publish(signer.folder / "release-1.2.0")
        states = list(AgentRelease.objects.order_by("serial").values_list("version", "state"))
        assert states == [("1.1.0", "Replaced"), ("1.2.0", "Offered")]
        assert served(settings) == ["1.2.0"]
        assert actions() == ["publish", "publish", "replaced"]

    def test_signed_again_it_counts_for_longer_and_its_stage_stays(self, signer: Signer, administrator: User) -> None:
        folder = signer.release()
        before = publish(folder)
        releases.stage(before.pk, 25, [], actor=as_actor(administrator))
        release.renew(folder, signer.key, days=200)
        after, new = releases.publish(folder, actor=COMMAND)
        assert (after.pk, after.share, new) == (before.pk, 25, False)
        assert after.serial > before.serial
        assert after.expires_at - before.expires_at > timedelta(days=100)
        assert actions() == ["publish", "stage", "renew"]

    def test_what_no_machine_would_take(self, signer: Signer, settings: Settings) -> None:
        folder = signer.release()
        good = (folder / "release.json").read_text()
        publish(folder)
        assert "not above that of release 1.1.0" in reason(folder)
        renewed(signer.release("1.0.9", b"old", name="-old"))
        assert "Its version is not above" in reason(signer.folder / "release-1.0.9-old")
        renewed(signer.release("1.1.0", b"other bytes", name="-other"))
        assert "other files" in reason(signer.folder / "release-1.1.0-other")
        newer = renewed(signer.release("1.2.0", b"new"))
        (file,) = newer.glob("strongroom-agent-update-*")
        file.write_bytes(b"NEW")
        assert "not the file that was signed" in reason(newer)
        file.unlink()
        assert "is not there" in reason(newer)
        (newer / "release.json").write_text(good.replace("1.1.0", "1.3.0"))
        assert "signature does not fit" in reason(newer)
        (newer / "release.json").write_text("[]")
        assert "no signed manifest" in reason(newer)
        (newer / "release.json").unlink()
        assert "cannot be read" in reason(newer)
        stranger = Signer(signer.folder, Ed25519PrivateKey.generate())
        assert "do not know" in reason(renewed(stranger.release("1.4.0", name="-theirs"), stranger.key))
        settings.AGENT_UPDATE_KEYS = ""
        assert "AGENT_UPDATE_KEYS" in reason(folder)
        assert not [path for path in settings.AGENT_PACKAGES.iterdir() if path.name.startswith(".")]

    def test_one_that_has_ended(self, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = signer.release(days=1)
        later = timezone.now() + timedelta(days=2)
        monkeypatch.setattr(timezone, "now", lambda: later)
        assert "has ended" in reason(folder)

    def test_the_command_says_what_comes_next(self, signer: Signer) -> None:
        out = StringIO()
        folder = signer.release()
        call_command("publish_release", folder, stdout=out)
        assert "No machine takes it yet" in out.getvalue()
        with pytest.raises(CommandError, match="not above that of release"):
            call_command("publish_release", folder)


def renewed(folder: Path, key: Ed25519PrivateKey | None = None) -> Path:
    """The release with a serial that is above all before: serials are seconds, and tests are quicker."""
    manifest = json.loads((folder / "release.json").read_text())
    said = json.loads(manifest["signed"])
    newest = AgentRelease.objects.order_by("-serial").values_list("serial", flat=True).first() or 0
    said["serial"] = max(newest, said["serial"]) + 1
    signer_key = key or _keys[folder.parent]
    (folder / "release.json").write_text(json.dumps(release.envelope(canonical(said), signer_key)))
    return folder


_keys: dict[Path, Ed25519PrivateKey] = {}


@pytest.fixture(autouse=True)
def _known(signer: Signer) -> None:
    _keys[signer.folder] = signer.key


class TestStages:
    def test_shares_grow_around_the_same_machines(self) -> None:
        """Whoever is among the first five percent is among the first 25, for each release."""
        ids = [uuid.UUID(int=number * 7919) for number in range(4000)]
        places = [updates.place(each) for each in ids]
        assert places == [updates.place(each) for each in ids]
        for share in (5, 25):
            taken = sum(place < share * 100 for place in places)
            assert abs(taken / len(ids) * 100 - share) < 2
        assert all(0 <= place < 10_000 for place in places)

    def test_each_stage(self, signer: Signer, administrator: User, machine: peer.Machine) -> None:
        found, actor = publish(signer.release()), as_actor(administrator)
        row = Machine.objects.get(pk=machine.id)
        place = updates.place(row.pk)
        for share in releases.SHARES:
            releases.stage(found.pk, share, [], actor=actor)
            said = say(machine.holder, "update", **QUESTION).json()
            assert said["take"] is (place < share * 100)
            assert said["manifest"] == found.manifest
            assert said["why"] == ("" if said["take"] else "machines get it step by step.")
        releases.pause(found.pk, actor=actor)
        assert say(machine.holder, "update", **QUESTION).json()["why"] == "it is paused by an administrator."
        releases.resume(found.pk, actor=actor)
        assert say(machine.holder, "update", **QUESTION).json()["take"] is True
        releases.withdraw(found.pk, actor=actor)
        said = say(machine.holder, "update", **QUESTION).json()
        assert (said["take"], said["manifest"]) == (False, found.manifest)
        assert actions() == ["publish", *["stage"] * 4, "paused", "offered", "withdrawn"]

    def test_a_subscription_gets_it_whatever_the_share(
        self, signer: Signer, administrator: User, machine: peer.Machine, subscription: Subscription
    ) -> None:
        found, actor = publish(signer.release()), as_actor(administrator)
        other = Subscription.objects.create(name="Others")
        releases.stage(found.pk, 0, [other], actor=actor)
        assert say(machine.holder, "update", **QUESTION).json()["take"] is False
        releases.stage(found.pk, 0, [other, subscription], actor=actor)
        assert say(machine.holder, "update", **QUESTION).json()["take"] is True
        entry = AuditEvent.objects.filter(action="agent-release:stage").latest("id")
        assert entry.detail["subscriptions"] == ["Others", "Default"]

    def test_what_is_refused(self, signer: Signer, administrator: User, staff: User, approver: User) -> None:
        found, actor = publish(signer.release()), as_actor(administrator)
        for other in (staff, approver):
            for act in (releases.pause, releases.withdraw):
                with pytest.raises(NotAllowed):
                    act(found.pk, actor=as_actor(other))
            with pytest.raises(NotAllowed):
                releases.stage(found.pk, 100, [], actor=as_actor(other))
        with pytest.raises(Invalid):
            releases.stage(found.pk, 50, [], actor=actor)
        with pytest.raises(NotFound):
            releases.stage(uuid.uuid4(), 5, [], actor=actor)
        with pytest.raises(StaleState):
            releases.resume(found.pk, actor=actor)
        releases.withdraw(found.pk, actor=actor)
        for late in (releases.pause, releases.resume, releases.withdraw):
            with pytest.raises(StaleState):
                late(found.pk, actor=actor)
        with pytest.raises(StaleState):
            releases.stage(found.pk, 100, [], actor=actor)
        found.refresh_from_db()
        assert (found.share, found.state) == (0, ReleaseState.WITHDRAWN)


class TestQuestions:
    def test_before_anything_was_published(self, machine: peer.Machine) -> None:
        said = say(machine.holder, "update", **QUESTION).json()
        assert said == {"ok": True, "manifest": None, "take": False, "why": "No release was published."}

    def test_who_is_not_told(self, signer: Signer, machine: peer.Machine) -> None:
        publish(signer.release())
        Machine.objects.filter(pk=machine.id).update(state="Revoked")
        refused(say(machine.holder, "update", **QUESTION), 403, "not_allowed")

    def test_odd_questions(self, machine: peer.Machine) -> None:
        for odd in ({**QUESTION, "kind": 7}, {**QUESTION, "version": "1" * 33}, {"version": "1.0.0"}, {}):
            refused(say(machine.holder, "update", **odd), 422, "invalid")

    def test_it_costs_few_queries(
        self, signer: Signer, machine: peer.Machine, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        publish(signer.release())
        with django_assert_max_num_queries(9):
            say(machine.holder, "update", **QUESTION)


class TestToldOf:
    def test_a_heartbeat_says_how_it_stands(self, machine: peer.Machine) -> None:
        versions = {"agent_version": "1.0.0", "engine_version": "0.18.0"}
        told = {"state": "failed", "version": "1.1.0", "code": "update_broken", "came_from": ""}
        assert say(machine.holder, "heartbeat", **versions, update=told).status_code == 200
        row = Machine.objects.get(pk=machine.id)
        assert (row.update_state, row.update_version, row.update_code) == ("failed", "1.1.0", "update_broken")
        assert row.update is not None
        assert row.update.label == "Update failed"
        assert say(machine.holder, "heartbeat", **versions).status_code == 200  # an older agent tells nothing
        assert Machine.objects.get(pk=machine.id).update_state == "failed"
        assert say(machine.holder, "heartbeat", **versions, update=None).status_code == 200
        assert Machine.objects.get(pk=machine.id).update is None

    @pytest.mark.parametrize("odd", ["failed", {"state": "fine"}, {"state": "failed", "code": "<b>"}, {}, 7])
    def test_odd_tellings(self, machine: peer.Machine, odd: object) -> None:
        versions = {"agent_version": "1.0.0", "engine_version": "0.18.0"}
        refused(say(machine.holder, "heartbeat", **versions, update=odd), 422, "invalid")
