"""The pages of one vault: Dashboard and Activity."""

from dataclasses import dataclass, field
from datetime import UTC
from itertools import chain, repeat
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal.audit.rows import activity_rows
from portal.core.http import PersonRequest, actor_of, expected
from portal.core.paging import page_of
from portal.web.polling import live
from vaults.extensions import estates
from vaults.lifecycle import creation
from vaults.lifecycle.provisioning import step_labels
from vaults.models import Operation, Vault
from vaults.queries import (
    activity_of,
    approval_of,
    entries_of_request,
    last_operations,
    vault_seen_by,
    vault_worked_on_by,
)
from vaults.rules import is_member, may_be_retried
from vaults.usage.charts import HEIGHT, WIDTH, curve
from vaults.usage.history import stored_days

DAYS = 30


@require_safe
def dashboard(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """How the vault is: live each second while work on it runs."""
    actor = actor_of(request)
    vault = vault_seen_by(actor, vault_id)
    operations = last_operations(vault.pk)
    busy = vault.state in Vault.STATES.busy or any(one.state in one.STATES.busy for one in operations)
    now = timezone.now()
    days = stored_days(vault, now, DAYS)
    context = {
        "vault": vault,
        "tab": "dashboard",
        "estate": next((estate(vault, now) for estate in estates), None) if vault.machine_count else None,
        "stored": curve(days, today=now.astimezone(UTC).date(), places=DAYS),
        "chart": {"width": WIDTH, "height": HEIGHT},
        "now": now,
        "work": [_work(one, vault) for one in operations],
        "latest": operations[0] if operations else None,
        "expected": creation.shown(vault, operations[0] if operations else None),
        "retry": bool(operations) and may_be_retried(vault, operations[0]),
        "approval": approval_of(vault),
        # Only members see it who do not see all: what the fetch has checked is not asked again.
        "member": not request.user.sees_all or is_member(actor, vault.subscription_id),
        "seconds": 1 if busy else 30,
    }
    return live(request, "vaults/dashboard.html", "vault-dashboard", context)


@dataclass(frozen=True)
class Work:
    """Work on the vault as it is shown; `steps` are pairs of a label and `done`, `now`, `wrong` or nothing."""

    operation: Operation
    steps: list[tuple[str, str]] = field(default_factory=list)
    waiting: str = ""  # what it waits for, when no step runs


def _work(operation: Operation, vault: Vault) -> Work:
    if operation.state in Operation.STATES.final:
        return Work(operation)
    operation.vault = vault
    labels, busy = step_labels(operation), operation.state in Operation.STATES.busy
    waiting = operation.step if busy and operation.step not in labels else ""
    here = "" if waiting else "now" if busy else "wrong"
    marks = chain(["done"] * operation.steps_done, [here], repeat(""))
    return Work(operation, list(zip(labels, marks, strict=False)), waiting)


@require_POST
def retry(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """Do the latest work on the vault again, which failed, then show how it goes."""
    actor = actor_of(request)
    vault = vault_worked_on_by(actor, vault_id)
    creation.retry(vault.pk, actor=actor, expected=expected(request))
    return redirect("vaults:vault", vault.pk)


@require_safe
def activity(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """What happened to the vault, from the audit log."""
    vault = vault_seen_by(actor_of(request), vault_id)
    page = page_of(activity_of(vault), "-id", after=request.GET.get("after", ""))
    before = [] if page.next else list(entries_of_request(vault))
    events = page.items + before
    rows = activity_rows(events, auditor=request.user.is_auditor)
    context = {"vault": vault, "tab": "activity", "page": page, "events": events, "rows": rows}
    return render(request, "vaults/activity.html", context)
