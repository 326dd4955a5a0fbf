"""The page with the agent packages, the visitor's platform first."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from agents.monitoring import onboarding
from agents.packages.catalog import best_for_linux, platform_rows
from agents.packages.publish import FILES_URL
from agents.packages.shell_commands import digest_command, signature_command
from portal.core.errors import NotAllowed
from portal.core.http import PersonRequest


@require_safe
def package_list(request: PersonRequest) -> HttpResponse:
    """What can be downloaded, and for what is not published yet, what to do instead."""
    rows = platform_rows(request.headers.get("User-Agent", ""))
    checked = best_for_linux(rows) or next((row.package for row in rows if row.package), None)
    sources = any(not offer.package and not offer.withdrawn and offer.platform != "linux" for offer in rows)
    context = {
        "offers": rows,
        "files": FILES_URL,
        "checks": checked and (digest_command(checked.file_name, checked.sha256), signature_command(checked.file_name)),
        "checked": checked,
        "sources": sources,
    }
    return render(request, "agents/packages.html", context)


@require_safe
def onboarding_figures(request: PersonRequest) -> HttpResponse:
    """How long machines take from the first step to a proven restore, and where people drop out: for administrators."""
    if not request.user.is_administrator:
        raise NotAllowed("Only administrators see how machines were set up.", remedy="Ask an administrator.")
    context = {"ways": onboarding.ways(), "days": onboarding.LOOKED_BACK.days}
    return render(request, "agents/onboarding.html", context)
