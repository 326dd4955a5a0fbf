"""Decisions of both kinds of request move into one table, and back, without a loss."""

import pytest

from agents.replacement import replacements
from portal.accounts.models import Subscription, User
from portal.approvals.models import Decision
from tests.agents import replacing
from tests.agents.factories import credential_of, machine_in
from tests.factories import as_actor
from tests.migrating import migrated, newest_again  # noqa: F401 - a fixture
from tests.vaults.factories import Ask, asking, paired_regions
from vaults.models import Vault
from vaults.requests import vault_requests

BEFORE = [("vaults", "0013_removals_counted"), ("agents", "0008_newest_proof")]
AFTER = [("vaults", "0015_no_decisions_of_its_own"), ("agents", "0010_no_decisions_of_its_own")]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ask(staff: User, subscription: Subscription) -> Ask:
    """Asks for a vault as `staff`, in regions that are paired."""
    return asking(as_actor(staff), subscription, paired_regions()[0])


def decisions() -> list[tuple[object, ...]]:
    columns = ("content_type__model", "request_id", "stage", "verdict", "by", "requested_by", "at", "comment", "digest")
    return sorted(Decision.objects.values_list(*columns), key=str)


@pytest.mark.usefixtures("newest_again")
def test_both_ways(ask: Ask, vault: Vault, staff: User, approver: User) -> None:
    approved, rejected, cancelled, _waiting = (ask(name) for name in ("Payroll", "Archive", "Mail", "Shop"))
    vault_requests.approve(approved.pk, actor=as_actor(approver), comment="Fine.", digest=approved.digest)
    vault_requests.reject(rejected.pk, actor=as_actor(approver), comment="Too early.", digest=rejected.digest)
    vault_requests.cancel(cancelled.pk, actor=as_actor(staff), comment="", digest=cancelled.digest)
    machine = machine_in(vault, credential_of(vault, staff))
    refused = replacing.ask(staff, machine.pk)
    digest = replacements.workflow.digest_of(refused)
    replacements.reject(refused.pk, actor=as_actor(approver), comment="No.", digest=digest)
    agreed = replacing.agreed(staff, approver, machine.pk)
    all_of_them = decisions()
    assert len(all_of_them) == 5

    apps = migrated(BEFORE)
    old = apps.get_model("vaults", "Decision").objects.values_list("request_id", "verdict", "by_id", "comment")
    assert set(old) == {
        (approved.pk, "approve", approver.pk, "Fine."),
        (rejected.pk, "reject", approver.pk, "Too early."),
        (cancelled.pk, "cancel", staff.pk, ""),
    }
    asked = apps.get_model("agents", "ReplacementRequest").objects.values_list("pk", "decided_by_id", "comment")
    assert set(asked) == {(refused.pk, approver.pk, "No."), (agreed.pk, approver.pk, "Agreed.")}
    assert Decision.objects.count() == 0

    migrated(AFTER)
    assert decisions() == all_of_them
