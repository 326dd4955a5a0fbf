"""What the edge asks before it lets a machine at storage. Nobody else can: it takes the edge's secret."""

import hmac
import logging

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from agents import gateway

log = logging.getLogger(__name__)


@login_not_required
@require_safe
def authorize(request: HttpRequest) -> HttpResponse:
    """204 yes, 403 no, 507 the region is full, 503 it cannot be told just now, which restic takes as "ask again"."""
    headers = request.headers
    secret = headers.get("X-Edge-Secret", "")
    if not hmac.compare_digest(secret.encode("utf-8", "replace"), settings.EDGE_SECRET.encode()):
        return HttpResponse(status=gateway.Answer.NO)
    try:
        answer = gateway.decide(
            method=headers.get("X-Forwarded-Method", ""),
            uri=headers.get("X-Forwarded-Uri", ""),
            serial=headers.get("X-Client-Serial", ""),
            fingerprint=headers.get("X-Client-Fingerprint", ""),
            at=timezone.now(),
        )
    except Error as error:
        log.warning("No decision about a storage request: the database does not answer (%s)", type(error).__name__)
        return HttpResponse(status=503)
    return HttpResponse(status=answer)
