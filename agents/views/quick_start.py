"""The Quick Start page of a vault, and what its buttons do."""

from dataclasses import replace
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from agents.forms import CredentialForm
from agents.packages import one_line, snippets
from agents.packages.catalog import PlatformRow, best_for_linux, platform_rows
from agents.packages.choice import best_among
from agents.packages.publish import FILES_URL
from agents.packages.shell_commands import BACKUP, SCHEDULE, setup_command, unpack_command
from agents.quick_start import Progress, Step, progress_of
from agents.views.credential_files import credential_file_response
from portal.core.http import PersonRequest, actor_of, expected
from portal.web.kept_forms import refilled
from portal.web.polling import live
from vaults.credentials import one_time_codes, vault_credentials
from vaults.credentials.credential_file import file_name
from vaults.lifecycle import redundancy
from vaults.models import Vault
from vaults.queries import vault_seen_by, vault_worked_on_by
from vaults.rules import is_member
from vaults.states import VaultState

MARK = (
    '<span id="{key}-mark" class="visually-hidden" data-mark="{sign}" data-folds="{folds}"{swap}>{word}:</span>'
    '<span id="{key}-brief" class="muted small"{swap}>{brief}</span>'
)


@require_safe
def quick_start(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """The steps in order, each showing whether it is done; it is fetched again and again while it is looked at.

    The form for credentials is outside of what is fetched, so that it keeps what was typed.
    """
    vault = vault_seen_by(actor_of(request), vault_id)
    if request.htmx and request.GET.get("seen", vault.state) != vault.state:
        return HttpResponseClientRefresh()  # another page altogether: with the form, or without it
    return _page(request, vault, CredentialForm(initial=refilled(request)))


@require_POST
def download(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """Issue a credential and hand out its file, once: nothing keeps the key that is in it."""
    vault = vault_worked_on_by(actor_of(request), vault_id)
    form = CredentialForm(request.POST)
    if not form.is_valid():
        return _page(request, vault, form, status=422)
    issued = vault_credentials.issue(vault_id, actor=actor_of(request), machines=form.cleaned_data["machines"])
    return credential_file_response(issued)


@require_POST
def end(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """`End now`: the credential registers nobody any more."""
    vault_worked_on_by(actor_of(request), vault_id)
    vault_credentials.end(vault_id, actor=actor_of(request), expected=expected(request))
    messages.success(request, "Ended. The credential can no longer register machines.")
    return redirect("agents:quick-start", vault_id)


@require_POST
@never_cache
def show_code(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """`Show a one-time code`: on this answer and on no page after it."""
    vault = vault_worked_on_by(actor_of(request), vault_id)
    shown = one_time_codes.show(vault_id, actor=actor_of(request))
    return _page(request, vault, CredentialForm(), code=shown.text)


@require_POST
def end_code(request: PersonRequest, vault_id: UUID, code_id: UUID) -> HttpResponse:
    """`End now`: the one-time code registers nobody any more."""
    vault_worked_on_by(actor_of(request), vault_id)
    one_time_codes.end(vault_id, code_id, actor=actor_of(request))
    messages.success(request, "Ended. The one-time code can no longer register a machine.")
    return redirect("agents:quick-start", vault_id)


@require_safe
def roll_out(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """`Roll out to many machines`: snippets for what brings files and commands to fleets."""
    vault = vault_seen_by(actor_of(request), vault_id)
    context = {"vault": vault, "tab": "quick-start", "snippets": snippets.all_of()}
    return render(request, "agents/roll_out.html", context)


@require_POST
def confirm(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """The redundancy is as it should be; the first machine locks it in any case."""
    vault_worked_on_by(actor_of(request), vault_id)
    redundancy.confirm(vault_id, actor=actor_of(request), expected=expected(request))
    return redirect("agents:quick-start", vault_id)


def _page(
    request: PersonRequest, vault: Vault, form: CredentialForm, *, status: int = 200, code: str = ""
) -> HttpResponse:
    """`code` is a one-time code that was made for this answer."""
    progress = progress_of(vault, request.user)
    offered = platform_rows(request.headers.get("User-Agent", ""))
    first, *others = offered
    steps, oob = progress.steps, bool(request.htmx)
    if any(offer.withdrawn for offer in offered) and not any(offer.package for offer in offered):
        steps["agent"] = replace(steps["agent"], missing=True)
    context: dict[str, object] = {
        "vault": vault,
        "tab": "quick-start",
        "active": vault.state == VaultState.ACTIVE,
        # Only members see it who do not see all: what the fetch has checked is not asked again.
        "member": not request.user.sees_all or is_member(actor_of(request), vault.subscription_id),
        "form": form,
        "progress": progress,
        "steps": steps,
        "marks": {key: _mark(key, step, oob=oob) for key, step in steps.items()},
        "oob": oob,
        "first": first,
        "others": others,
        "code": code,
        **({} if oob else _lines(vault, offered)),
        "redundancy_shown": redundancy.shown(vault),
        "credential_shown": vault_credentials.shown(progress.credential_status.credential),
        "files": FILES_URL,
        "backup": BACKUP,
        "schedule": SCHEDULE,
        **_commands(progress, offered),
    }
    return live(request, "agents/quick_start.html", "quick-start", context, final=progress.final, status=status)


def _lines(vault: Vault, offered: list[PlatformRow]) -> dict[str, object]:
    packages = [offer.package for offer in offered if offer.package]
    return {
        "line": one_line.with_code(vault.pk, best_among(packages, "linux")),
        "windows_line": one_line.with_code(vault.pk, best_among(packages, "windows")),
    }


def _mark(key: str, step: Step, *, oob: bool) -> SafeString:
    """Whether the step is done, for the list's marks and in words; made here, since each poll has all of them."""
    sign, word = step.mark
    swap = SafeString(' hx-swap-oob="true"' if oob else "")
    return format_html(
        MARK, key=key, sign=sign, word=word, swap=swap, brief=step.brief, folds="yes" if step.folds else ""
    )


def _commands(progress: Progress, offered: list[PlatformRow]) -> dict[str, object]:
    """What to type, with the names that the files really have; for a file not issued yet, the name it will have."""
    credential = progress.credential_status.credential
    issued_at = credential.issued_at if credential and progress.listening else timezone.now()
    name = file_name(progress.vault.name, issued_at)
    package = best_for_linux(offered)
    return {
        "file_name": name,
        "for_linux": package,
        "unpack": unpack_command(package.file_name, package.kind) if package else "",
        "command": setup_command(name, kind=package.kind if package else ""),
    }
