"""What the edge asks before it lets a machine at storage, and the gateways while transfers are under way.

Nobody else can: it takes the edge's secret. Served by the gate, see agents/gate_urls.py.
"""

import hmac
import json
import logging

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from agents import gateway

log = logging.getLogger(__name__)


def _is_edge(request: HttpRequest) -> bool:
    """Whether whoever asks has the edge's secret."""
    secret = request.headers.get("X-Edge-Secret", "")
    return hmac.compare_digest(secret.encode("utf-8", "replace"), settings.EDGE_SECRET.encode())


@login_not_required
@require_safe
def authorize(request: HttpRequest) -> HttpResponse:
    """204 yes, 403 no, 507 the region is full, 503 it cannot be told just now, which restic takes as "ask again"."""
    headers = request.headers
    if not _is_edge(request):
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


@login_not_required
@csrf_exempt
@require_POST
def transfers(request: HttpRequest) -> HttpResponse:
    """The same question about many requests that were let in and are under way, in one: the statuses, in order.

    The body is a list of `[method, uri, serial, fingerprint]`. 503 when it cannot be told just now.
    """
    if not _is_edge(request):
        return HttpResponse(status=gateway.Answer.NO)
    asked = [tuple(one) for one in json.loads(request.body)]
    now = timezone.now()
    try:
        answers = {
            (method, uri, serial, fingerprint): gateway.decide(
                method=method, uri=uri, serial=serial, fingerprint=fingerprint, at=now
            )
            for method, uri, serial, fingerprint in set(asked)
        }
    except Error as error:
        log.warning("No decision about open transfers: the database does not answer (%s)", type(error).__name__)
        return HttpResponse(status=503)
    return JsonResponse([int(answers[one]) for one in asked], safe=False)
