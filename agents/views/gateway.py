"""What the edge asks before it lets a machine at storage, and the gateways while transfers are under way.

Nobody else can: it takes the edge's secret. The questions are answered by the gate (agents/gate_urls.py), which only
reads; what takes more, `remove` and `store_key`, by the web.
"""

import hmac
import json
import logging
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from agents.storage_access.authorize import EdgeAnswer, Question, decide, may_store_key, remove_object
from portal.core.http import client_address

log = logging.getLogger(__name__)


def _is_edge(request: HttpRequest) -> bool:
    """Whether whoever asks has the edge's secret."""
    secret = request.headers.get("X-Edge-Secret", "")
    return hmac.compare_digest(secret.encode("utf-8", "replace"), settings.EDGE_SECRET.encode())


@login_not_required
@require_safe
def authorize(request: HttpRequest) -> HttpResponse:
    """204 yes, 403 no, 507 the region is full, 503 it cannot be told just now, which restic takes as "ask again"."""
    return _answer(request, lambda question: decide(question, at=timezone.now()))


@csrf_exempt  # no browser comes here: it takes the edge's secret
@login_not_required
@require_POST
def remove(request: HttpRequest) -> HttpResponse:
    """200 the object is in the trash, 404 there is none, 403 no, 503 it is where it was: restic asks again.

    A no because the object is too young says so in `X-Strongroom-Code`.
    """
    from vaults.trash.removals import TooYoung  # the gate, which has no use for it, need not load it

    address = client_address(request)
    try:
        return _answer(request, lambda question: remove_object(question, address=address, at=timezone.now()))
    except TooYoung as error:
        return HttpResponse(status=EdgeAnswer.NO, headers={"X-Strongroom-Code": error.code})


@login_not_required
@require_safe
def store_key(request: HttpRequest) -> HttpResponse:
    """204 the machine may store the key, 403 no, there are as many as there may be, 507, 503 as for `authorize`.

    A yes is noted, although this is a GET: with another method the edge would spend the key itself on the question.
    """
    return _answer(request, lambda question: may_store_key(question, at=timezone.now()))


def _answer(request: HttpRequest, act: Callable[[Question], EdgeAnswer]) -> HttpResponse:
    headers = request.headers
    if not _is_edge(request):
        return HttpResponse(status=EdgeAnswer.NO)
    question = Question(
        method=headers.get("X-Forwarded-Method", ""),
        uri=headers.get("X-Forwarded-Uri", ""),
        serial=headers.get("X-Client-Serial", ""),
        fingerprint=headers.get("X-Client-Fingerprint", ""),
    )
    try:
        return HttpResponse(status=act(question))
    except Error as error:
        log.warning("No decision about a storage request: the database does not answer (%s)", type(error).__name__)
        return HttpResponse(status=EdgeAnswer.LATER)


@login_not_required
@csrf_exempt
@require_POST
def transfers(request: HttpRequest) -> HttpResponse:
    """The same question about many requests that were let in and are under way, in one: the statuses, in order.

    The body is a list of `[method, uri, serial, fingerprint]`. 503 when it cannot be told just now.
    """
    if not _is_edge(request):
        return HttpResponse(status=EdgeAnswer.NO)
    asked = [Question(*one) for one in json.loads(request.body)]
    now = timezone.now()
    try:
        answers = {question: decide(question, at=now) for question in set(asked)}
    except Error as error:
        log.warning("No decision about open transfers: the database does not answer (%s)", type(error).__name__)
        return HttpResponse(status=EdgeAnswer.LATER)
    return JsonResponse([int(answers[question]) for question in asked], safe=False)
