"""Quick Create."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from portal.core.errors import Invalid, NameTaken, NotFound, TooManyOpen
from portal.core.forms import show_refusal
from portal.core.http import PersonRequest, actor_of, key_in, sent
from portal.web.kept_forms import refilled
from vaults.forms import VaultRequestForm
from vaults.models import Redundancy, Region, VaultRequest
from vaults.queries import own_subscriptions
from vaults.requests.vault_requests import submit, workflow
from vaults.rules import name_problem

LONGEST_NAME = 200  # more than a name may have, so that the check can say that it is too long


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: PersonRequest) -> HttpResponse:
    """The form; when it is sent and right, the request's page. Sending it twice makes one request."""
    form = VaultRequestForm(
        request.user, sent(request), initial=refilled(request, {"subscription": request.GET.get("subscription")})
    )
    if form.is_valid():
        try:
            return redirect("vaults:request", _submitted(request, form).pk)
        except NameTaken as error:  # somebody was faster than the check
            show_refusal(form, error, beside="name")
        except (TooManyOpen, Invalid) as error:
            show_refusal(form, error)
    return render(
        request,
        "vaults/new.html",
        {
            "form": form,
            "member": own_subscriptions(request.user).exists(),
            "open": Region.objects.filter(enabled=True).exists(),
            "decidable": workflow.deciders(VaultRequest(requested_by=request.user)).exists(),
        },
        status=422 if form.is_bound else 200,
    )


def _submitted(request: PersonRequest, form: VaultRequestForm) -> VaultRequest:
    values = form.cleaned_data
    return submit(
        actor=actor_of(request),
        subscription=values["subscription"],
        name=values["name"],
        region=values["region"],
        redundancy=values["redundancy"],
        reason=values["reason"],
    )


@require_safe
def new_redundancy(request: PersonRequest) -> HttpResponse:
    """The choices of redundancy for a region while the form is filled in; 404 where it takes no new vaults."""
    if not own_subscriptions(request.user).exists():
        raise NotFound
    region = get_object_or_404(Region, enabled=True, pk=key_in(request.GET.get("region", "")))
    chosen = request.GET.get("wished") or request.GET.get("redundancy", "")
    form = VaultRequestForm(request.user, initial={"redundancy": chosen if chosen in Redundancy else Redundancy.GEO})
    form.explain_region(region)
    return render(request, "vaults/new.html#redundancy", {"form": form})


@require_safe
def new_name(request: PersonRequest) -> HttpResponse:
    """What is wrong with a name while it is typed, for members of the subscription; 404 for others."""
    subscription = get_object_or_404(own_subscriptions(request.user), pk=key_in(request.GET.get("subscription", "")))
    name = request.GET.get("name", "").strip()[:LONGEST_NAME]
    problem = name_problem(subscription, name) if name else ""
    return render(request, "vaults/new.html#name-check", {"name": name, "problem": problem})
