"""The tab Configure of a vault: its redundancy, its retention policy with a preview of what would go, and the restore
time that its people expect."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.core.actor import Actor
from portal.core.errors import ContentChanged, DomainError, Invalid, RedundancyLocked, StaleState, TooManyOpen
from portal.core.expected import tag_of
from portal.core.forms import show_refusal
from portal.core.http import PersonRequest, actor_of, expected, sent
from portal.web.inbox import named
from portal.web.kept_forms import refilled
from vaults.forms import ExpectedRestoreForm, RedundancyForm, RetentionForm, explain
from vaults.lifecycle import expected_restore as expectation
from vaults.lifecycle import redundancy
from vaults.models import Redundancy, Region, RetentionChange, Vault
from vaults.queries import operations_of, vault_seen_by, vault_worked_on_by
from vaults.regions.catalog import open_pair_of
from vaults.retention_policy import changes
from vaults.retention_policy.changes import workflow
from vaults.retention_policy.policy import RetentionPolicy
from vaults.retention_policy.preview import preview
from vaults.retention_policy.wording import differences, rows
from vaults.rules import is_member

Context = dict[str, object]


@require_http_methods(["GET", "HEAD", "POST"])
def configure(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """The page; POST chooses the redundancy. 409 with the page as it is now for a choice that came too late."""
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
    status = refusal.status if refusal else 422 if form.is_bound else 200
    return _page(request, vault, {"form": form, "refusal": refusal}, status)


@require_http_methods(["GET", "HEAD", "POST"])
def retention(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """Save the policy; what is weaker is shown first, with what would go, unless the page that was sent had shown it.

    GET is that preview, for the numbers in the address, as a fragment.
    """
    if request.method == "POST":
        return _save(request, vault_id)
    vault = vault_seen_by(actor_of(request), vault_id)
    if not request.htmx:
        return redirect("vaults:configure", vault.pk)
    form = RetentionForm(request.GET)
    found = _preview(vault, form.policy()) if form.is_valid() else {}
    return render(request, "vaults/retention_preview.html", {"vault": vault, **found})


@require_http_methods(["GET", "HEAD", "POST"])
def expected_restore(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """Save within how many hours a machine is expected back; GET leads to the page with the form."""
    actor = actor_of(request)
    vault = (vault_worked_on_by if request.method == "POST" else vault_seen_by)(actor, vault_id)
    if request.method != "POST":
        return redirect("vaults:configure", vault.pk)
    form, refusal = ExpectedRestoreForm(request.POST), None
    if form.is_valid():
        hours = form.cleaned_data["hours"]
        try:
            vault = expectation.change(vault.pk, actor=actor, hours=hours, expected=expected(request))
            messages.success(request, f"Saved. Expected restore time: {expectation.described(hours)}.")
            return redirect("vaults:configure", vault.pk)
        except Invalid as error:
            show_refusal(form, error)
        except (ContentChanged, StaleState) as error:
            refusal, vault = error, vault_seen_by(actor, vault_id)
    context: Context = {"restore_time": form, "refusal": refusal}
    return _page(request, vault, context, refusal.status if refusal else 422)


def _save(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    actor = actor_of(request)
    vault, form, refusal = vault_worked_on_by(actor, vault_id), RetentionForm(request.POST), None
    found: Context = {}
    if form.is_valid():
        policy = form.policy()
        weaker = policy.weaker_than(RetentionPolicy.of(vault))
        if weaker and form.cleaned_data["confirmed"] != _tag(vault, policy):
            found = _preview(vault, policy)
            return _page(request, vault, {"retention": form, "confirm": True, **found}, 422)
        try:
            return _saved(request, vault, form)
        except Invalid as error:
            show_refusal(form, error)
            found = _preview(vault, policy)
        except (ContentChanged, StaleState, TooManyOpen) as error:
            refusal, vault = error, vault_seen_by(actor, vault_id)
    context: Context = {"retention": form, "refusal": refusal, **found}
    return _page(request, vault, context, refusal.status if refusal else 422)


def _saved(request: PersonRequest, vault: Vault, form: RetentionForm) -> HttpResponse:
    asked = changes.change(
        vault.pk,
        actor=actor_of(request),
        policy=form.policy(),
        reason=form.cleaned_data["reason"],
        expected=expected(request),
    )
    if asked is not None:
        messages.success(request, "Requested. The policy stays as it is until a second person agrees.")
        return redirect("vaults:request", asked.pk)
    messages.success(request, "Saved. Machines follow the policy with their next weekly retain.")
    return redirect("vaults:configure", vault.pk)


def _tag(vault: Vault, policy: RetentionPolicy) -> str:
    """Stands for what a preview said: from which policy to which."""
    return tag_of(shown=changes.shown(vault), **policy.values)


def _preview(vault: Vault, policy: RetentionPolicy) -> Context:
    before = RetentionPolicy.of(vault)
    return {
        "preview": preview(vault, policy, at=timezone.now()),
        "differences": differences(before, policy),
        "weaker": bool(policy.weaker_than(before)),
        "same": policy == before,
        "tag": _tag(vault, policy),
        "soft_delete_days": min(policy.soft_delete_days, before.soft_delete_days),
    }


def _page(request: PersonRequest, vault: Vault, forms: Context, status: int) -> HttpResponse:
    """The page with those of its forms that were sent; the others as they are when nothing was typed."""
    actor, refusal = actor_of(request), forms.get("refusal")
    chosen = forms.get("form") or RedundancyForm(initial={"redundancy": vault.redundancy})
    pair = _pair(vault)
    explain(chosen.fields["redundancy"], vault.region.name, pair.name if pair else "")  # type: ignore[attr-defined]
    policy = RetentionPolicy.of(vault)
    waiting = changes.open_change(vault.pk)
    context: Context = {
        "vault": vault,
        "tab": "configure",
        "expected": redundancy.shown(vault),
        "latest": operations_of(vault).first(),
        "member": is_member(actor, vault.subscription_id),
        "policy": rows(policy),
        "retention": RetentionForm(initial=refilled(request, policy.values)),
        "expected_policy": changes.shown(vault),
        "restore_time": ExpectedRestoreForm(initial=refilled(request, {"hours": vault.expected_restore_hours})),
        "expected_time": expectation.shown(vault),
        "waiting": waiting,
        **(_about(actor, waiting) if waiting else {}),
        **forms,
        "form": chosen,
        "refusal": refusal if isinstance(refusal, DomainError) else None,
    }
    return render(request, "vaults/configure.html", context, status=status)


def _about(actor: Actor, waiting: RetentionChange) -> Context:
    return {
        "own": waiting.requested_by_id == actor.person.pk,
        "why_not": workflow.why_not(actor, waiting),
        "decide_until": workflow.decide_until(waiting),
        **named(workflow.deciders(waiting)),
    }


def _pair(vault: Vault) -> Region | None:
    """Where the copy is, or would be."""
    has_copy = vault.redundancy == Redundancy.GEO and hasattr(vault, "copy")
    return vault.copy.region if has_copy else open_pair_of(vault.region)


def _choose(actor: Actor, vault: Vault, choice: str, expected: str) -> Vault:
    """Change the redundancy; choosing what it is already confirms it."""
    if choice == vault.redundancy:
        return redundancy.confirm(vault.pk, actor=actor, expected=expected)
    return redundancy.change(vault.pk, actor=actor, redundancy=choice, expected=expected)
