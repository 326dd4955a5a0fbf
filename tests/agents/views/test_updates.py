"""The page on which administrators say which machines take a release."""

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from agents.models import AgentRelease, Machine
from portal.accounts.models import Subscription, User
from tests.agents.factories import credential_of, machine_in
from tests.factories import person
from vaults.models import Vault

pytestmark = pytest.mark.django_db
PAGE = "/agents/updates/"


@pytest.fixture
def release(settings: Settings, tmp_path: Path) -> AgentRelease:
    settings.AGENT_PACKAGES = tmp_path
    file = {"platform": "linux", "architecture": "x86_64", "kind": "pex", "name": "a", "size": 9, "sha256": "0" * 64}
    now = timezone.now()
    return AgentRelease.objects.create(
        version="1.1.0", serial=7, expires_at=now + timedelta(days=60), manifest={}, files=[file], published_at=now
    )


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(person("admin", is_administrator=True))
    return client


def test_only_administrators(client: Client, staff: User, approver: User, auditor: User, release: AgentRelease) -> None:
    for somebody in (staff, approver, auditor):
        client.force_login(somebody)
        assert client.get(PAGE).status_code == 403
        for verb in ("stage", "pause", "resume", "withdraw"):
            assert client.post(f"{PAGE}{release.pk}/{verb}/", {"share": 100, "confirm": "1.1.0"}).status_code == 403
        assert "Updates of machines" not in client.get("/agents/").content.decode()
    release.refresh_from_db()
    assert (release.state, release.share) == ("Offered", 0)


def test_without_a_release_it_says_what_to_do(admin: Client) -> None:
    shown = admin.get(PAGE).content.decode()
    assert "No release yet" in shown
    assert "publish_release" in shown
    assert PAGE in admin.get("/agents/").content.decode()


def test_how_far_it_has_come_and_no_names_of_machines(
    admin: Client,
    release: AgentRelease,
    vault: Vault,
    staff: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    credential = credential_of(vault, staff)
    machine_in(vault, credential, "secret-1", agent_version="1.1.0")
    machine_in(vault, credential, "secret-2", update_state="waiting", update_version="1.1.0")
    for name in ("secret-3", "secret-4"):
        machine_in(vault, credential, name, update_state="failed", update_version="1.1.0", update_code="update_broken")
    machine_in(vault, credential, "secret-5", update_state="failed", update_version="1.0.9", update_code="disk_full")
    machine_in(vault, credential, "secret-6", agent_version="1.1.0", state="Revoked")
    with django_assert_max_num_queries(14):
        shown = " ".join(admin.get(PAGE).content.decode().split())
    assert "1 of 5 machines" in shown
    assert "<dt>Wait for it</dt><dd>1</dd>" in shown
    assert "<dt>Failed</dt><dd>2: <code>update_broken</code> (2)</dd>" in shown
    assert "secret" not in shown


def test_stages_pause_and_withdrawal(admin: Client, release: AgentRelease, subscription: Subscription) -> None:
    sent = {"share": 25, "subscriptions": [subscription.pk]}
    assert admin.post(f"{PAGE}{release.pk}/stage/", sent, follow=True).status_code == 200
    release.refresh_from_db()
    assert (release.share, list(release.subscriptions.all())) == (25, [subscription])
    assert "25 % of machines, and all of Default" in " ".join(admin.get(PAGE).content.decode().split())
    for verb, state in (("pause", "Paused"), ("resume", "Offered")):
        assert admin.post(f"{PAGE}{release.pk}/{verb}/").status_code == 302
        release.refresh_from_db()
        assert release.state == state
    wrong = admin.post(f"{PAGE}{release.pk}/withdraw/", {"confirm": "1.1.1"})
    assert (wrong.status_code, "This release is 1.1.0." in wrong.content.decode()) == (422, True)
    release.refresh_from_db()
    assert release.state == "Offered"
    assert admin.post(f"{PAGE}{release.pk}/withdraw/", {"confirm": "1.1.0"}).status_code == 302
    release.refresh_from_db()
    assert release.state == "Withdrawn"
    assert "Save" not in admin.get(PAGE).content.decode()
    assert admin.post(f"{PAGE}{release.pk}/pause/").status_code == 409


@pytest.mark.parametrize("sent", [{}, {"share": 50}, {"share": "x"}, {"share": 5, "subscriptions": [999]}])
def test_odd_stages(admin: Client, release: AgentRelease, sent: dict[str, object]) -> None:
    assert admin.post(f"{PAGE}{release.pk}/stage/", sent).status_code == 422
    release.refresh_from_db()
    assert release.share == 0


def test_other_addresses(admin: Client, release: AgentRelease) -> None:
    assert admin.post(f"{PAGE}{release.pk}/explode/").status_code == 404
    assert admin.post(f"{PAGE}{uuid.uuid4()}/pause/").status_code == 404
    assert admin.get(f"{PAGE}{release.pk}/pause/").status_code == 405


def test_a_manifest_that_ends_is_told(admin: Client, release: AgentRelease) -> None:
    for days, says in ((10, "ends soon"), (-1, "has ended")):
        AgentRelease.objects.update(expires_at=timezone.now() + timedelta(days=days))
        assert f"Its manifest {says}." in admin.get(PAGE).content.decode()


def test_the_machines_pages_show_it(client: Client, staff: User, vault: Vault) -> None:
    machine = machine_in(
        vault, credential_of(vault, staff), agent_version="1.0.0",
        update_state="failed", update_version="1.1.0", update_code="update_broken",
    )  # fmt: skip
    client.force_login(staff)
    listed = client.get(f"/vaults/{vault.pk}/machines/").content.decode()
    assert "agent 1.0.0" in listed
    assert "Update failed" in listed
    shown = client.get(f"/machines/{machine.pk}/").content.decode()
    assert "Update failed" in shown
    assert "<code>update_broken</code>" in shown
    Machine.objects.update(update_state="updated", update_version="1.1.0", updated_from="1.0.0", agent_version="1.1.0")
    assert "updated from <bdi>1.0.0</bdi>" in client.get(f"/machines/{machine.pk}/").content.decode()
