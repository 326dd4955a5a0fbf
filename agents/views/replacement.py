"""The page on which a machine's replacement is asked for, agreed to, and its credentials are downloaded."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from agents.forms import ReplacementDecisionForm, ReplacementForm
from agents.models import Machine, ReplacementRequest
from agents.packages.catalog import best_for_linux, platform_rows
from agents.packages.shell_commands import KEPT, replace_command
from agents.queries import machine_seen_by, machine_worked_on_by
from agents.replacement import replacements
from agents.replacement.queries import (
    download_until,
    downloadable,
    name_taken_by_another,
    open_replacement,
    replacements_of,
)
from agents.replacement.replacements import workflow
from agents.states import ReplacementState
from agents.views.credential_files import credential_file_response
from portal.approvals.models import Decision
from portal.core.actor import Actor
from portal.core.errors import ContentChanged, Invalid, NotFound, StaleState
from portal.core.forms import show_refusal
from portal.core.http import PersonRequest, actor_of, expected, sent
from portal.web.inbox import named
from portal.web.kept_forms import refilled
from portal.web.polling import SLOW, live, pause
from vaults.credentials.credential_file import Replaced, file_name
from vaults.rules import is_member
from vaults.states import VaultState

EARLIER = 10


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PersonRequest, machine_id: UUID) -> HttpResponse:
    """How it stands with replacing the machine; POST asks for it, or decides on what was asked or takes it back.

    409 and the page as it is now for what came too late. The forms are outside of what is fetched again and again, so
    that they keep what was typed.
    """
    return _decision(request, machine_id) if "verdict" in request.POST else _asking(request, machine_id)


def _asking(request: PersonRequest, machine_id: UUID) -> HttpResponse:
    actor = actor_of(request)
    found = machine_worked_on_by(actor, machine_id) if request.method == "POST" else machine_seen_by(actor, machine_id)
    form, refusal = ReplacementForm(sent(request), initial=refilled(request)), None
    if form.is_valid():
        try:
            replacements.request(
                machine_id, actor=actor, reason=form.cleaned_data["reason"], expected=expected(request)
            )
            return redirect("agents:replacement", machine_id)
        except (ContentChanged, StaleState) as error:
            refusal, found = error, machine_seen_by(actor, machine_id)
        except Invalid as error:
            show_refusal(form, error)
    asked = open_replacement(found)
    if request.htmx and request.GET.get("seen") != _state_tag(found, asked):
        return HttpResponseClientRefresh()  # another page altogether, with other forms
    context = {
        **_context(actor, found, asked),
        "form": form,
        "refusal": refusal,
        "decision": ReplacementDecisionForm(initial=refilled(request)),
    }
    status = refusal.status if refusal else 422 if form.is_bound else 200
    return live(request, "agents/replacement.html", "replacement", context, status=status)


def _decision(request: PersonRequest, machine_id: UUID) -> HttpResponse:
    """What somebody decides about the request that their page showed, which may have ended by now."""
    actor, form, refusal = actor_of(request), ReplacementDecisionForm(request.POST), None
    found, valid = machine_seen_by(actor, machine_id), form.is_valid()
    meant = form.cleaned_data.get("request")
    asked = replacements_of(found).filter(pk=meant).first() if meant else None
    if asked is None:
        raise NotFound
    if form.cleaned_data.get("verdict") != Decision.Verdict.CANCEL:
        replacements.for_decision(asked.pk, actor=actor)  # who may not decide is told that, whatever else is wrong
    if valid:
        try:
            _decide(actor, asked, form.cleaned_data, expected(request))
            return redirect("agents:replacement", machine_id)
        except Invalid as error:
            show_refusal(form, error)
        except (ContentChanged, StaleState) as error:
            refusal, found = error, machine_seen_by(actor, machine_id)
    context = {**_context(actor, found, open_replacement(found)), "form": ReplacementForm(), "decision": form}
    context["refusal"] = refusal
    return render(request, "agents/replacement.html", context, status=refusal.status if refusal else 422)


def _decide(actor: Actor, asked: ReplacementRequest, values: dict[str, str], expected: str) -> None:
    if values["verdict"] == Decision.Verdict.CANCEL:
        replacements.cancel(asked.pk, actor=actor, expected=expected)
        return
    decide = replacements.approve if values["verdict"] == Decision.Verdict.APPROVE else replacements.reject
    decide(asked.pk, actor=actor, comment=values["comment"], digest=values["digest"])


@require_POST
def download(request: PersonRequest, request_id: UUID) -> HttpResponse:
    """Issue the credential that was agreed to and hand out its file, once: nothing keeps the key that is in it."""
    return credential_file_response(replacements.issue(request_id, actor=actor_of(request)))


def _state_tag(machine: Machine, asked: ReplacementRequest | None) -> str:
    """What the page is made for: when this changes, another one is shown."""
    return f"{machine.state}-{asked.pk}-{asked.state}-{downloadable(asked)}" if asked else machine.state


def _context(actor: Actor, machine: Machine, asked: ReplacementRequest | None) -> dict[str, object]:
    return {
        "machine": machine,
        "vault": machine.vault,
        "active": machine.vault.state == VaultState.ACTIVE,
        "taken": name_taken_by_another(machine),
        "member": is_member(actor, machine.vault.subscription_id),
        "state_tag": _state_tag(machine, asked),
        "seconds": pause(5, asked.decided_at or asked.requested_at) if asked else SLOW,
        "earlier": list(replacements_of(machine).exclude(ended_at=None).order_by("-requested_at", "id")[:EARLIER]),
        "asked": asked,
        "expected": replacements.shown(asked) if asked else replacements.shown_to_ask(machine),
        **(_about(actor, machine, asked) if asked else {}),
    }


def _about(actor: Actor, machine: Machine, asked: ReplacementRequest) -> dict[str, object]:
    pending = asked.state == ReplacementState.PENDING
    # For a file that was not issued yet, the name that it will have.
    issued_at = asked.credential.issued_at if asked.credential else timezone.now()
    name = file_name(machine.vault.name, issued_at, Replaced(machine.pk, machine.name))
    package = best_for_linux(platform_rows(""))
    return {
        "pending": pending,
        "own": asked.requested_by_id == actor.person.pk,
        "why_not": workflow.why_not(actor, asked),
        "digest": workflow.digest_of(asked),
        "decide_until": workflow.decide_until(asked),
        "download_until": download_until(asked),
        "downloadable": downloadable(asked),
        "passphrase_file": KEPT,
        "command": replace_command(name, kind=package.kind if package else ""),
        **(named(workflow.deciders(asked)) if pending else {}),
    }
