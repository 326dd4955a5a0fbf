"""The pages of one vault: Dashboard, Configure, Activity."""

from dataclasses import dataclass, field
from datetime import UTC
from itertools import chain, repeat
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.audit.rows import activity_rows
from portal.core.actor import Actor
from portal.core.errors import ContentChanged, Invalid, RedundancyLocked, StaleState
from portal.core.forms import show_refusal
from portal.core.http import PersonRequest, actor_of, expected, sent
from portal.core.paging import page_of
from portal.web.kept_forms import refilled
from portal.web.polling import live
from vaults.extensions import estates
from vaults.forms import RedundancyForm, explain
from vaults.lifecycle import creation, redundancy
from vaults.lifecycle.provisioning import step_labels
from vaults.models import Operation, Redundancy, Region, Vault
from vaults.queries import (
    activity_of,
    approval_of,
    entries_of_request,
    last_operations,
    operations_of,
    vault_seen_by,
    vault_worked_on_by,
)
from vaults.regions.catalog import open_pair_of
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


@require_http_methods(["GET", "HEAD", "POST"])
def configure(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """The choice of redundancy, or what locked it; 409 with the page as it is now for a choice that came too late."""
    actor = actor_of(request)
    vault = (vault_worked_on_by if request.method == "POST" else vault_seen_by)(actor, vault_id)
    form, refusal = RedundancyForm(sent(request), initial=refilled(request, {"redundancy": vault.redundancy})), None
    if form.is_valid():
        try:
            vault = _choose(actor, vault, form.cleaned_data["redundancy"], expected(request))
            messages.success(request, f"Saved. {vault.name} is {Redundancy(vault.redundancy).label.lower()}.")
            return redirect("vaults:configure", vault.pk)
        except (RedundancyLocked, StaleState, ContentChanged) as error:
            refusal, vault = error, vault_seen_by(actor, vault_id)
            form = RedundancyForm(initial={"redundancy": vault.redundancy})
        except Invalid as error:
            show_refusal(form, error)
    pair = _pair(vault)
    explain(form.fields["redundancy"], vault.region.name, pair.name if pair else "")
    context = {
        "vault": vault,
        "tab": "configure",
        "form": form,
        "refusal": refusal,
        "expected": redundancy.shown(vault),
        "latest": operations_of(vault).first(),
        "member": is_member(actor, vault.subscription_id),
    }
    status = refusal.status if refusal else 422 if form.is_bound else 200
    return render(request, "vaults/configure.html", context, status=status)


def _pair(vault: Vault) -> Region | None:
    """Where the copy is, or would be."""
    has_copy = vault.redundancy == Redundancy.GEO and hasattr(vault, "copy")
    return vault.copy.region if has_copy else open_pair_of(vault.region)


def _choose(actor: Actor, vault: Vault, choice: str, expected: str) -> Vault:
    """Change the redundancy; choosing what it is already confirms it."""
    if choice == vault.redundancy:
        return redundancy.confirm(vault.pk, actor=actor, expected=expected)
    return redundancy.change(vault.pk, actor=actor, redundancy=choice, expected=expected)


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
