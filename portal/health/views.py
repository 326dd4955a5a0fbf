"""`/health/live` and `/health/ready`: is this process alive, and do all parts of the portal work."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass

from django.contrib.auth.decorators import login_not_required
from django.db import close_old_connections
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portal.health import checks as health_checks
from portal.health.checks import Unwell

LIMIT = 0.9  # seconds for all checks together; one that takes longer is unwell
SHARED = 0.5  # seconds for which one round of checks answers everybody, so that asking often costs little


@dataclass(frozen=True)
class Part:
    """Whether a part works, and one line about it without secrets."""

    ok: bool
    detail: str


class Rounds:
    """Runs all checks side by side, one round at a time, and hands its result to everyone who asks meanwhile."""

    def __init__(self, checks: Mapping[str, Callable[[], str]]) -> None:
        self._checks = checks
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="health")
        self._parts: dict[str, Part] = {}
        self._until = 0.0

    def parts(self) -> dict[str, Part]:
        """Each part by name; from the round before when that is younger than SHARED."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._parts = self._round()
                self._until = time.monotonic() + SHARED
            return self._parts

    def _round(self) -> dict[str, Part]:
        futures = {name: self._pool.submit(_checked, check) for name, check in self._checks.items()}
        wait(futures.values(), timeout=LIMIT)
        return {name: _part(future) for name, future in futures.items()}


def _checked(check: Callable[[], str]) -> str:
    """Run a check in a thread of ours, whose database connection nobody else looks after."""
    close_old_connections()
    try:
        return check()
    finally:
        close_old_connections()


def _part(future: "Future[str]") -> Part:
    if not future.done():
        future.cancel()
        return Part(False, f"no answer within {LIMIT} s")
    error = future.exception()
    if error is None:
        return Part(True, future.result())
    if isinstance(error, Unwell):
        return Part(False, str(error))
    return Part(False, f"does not answer ({type(error).__name__})")  # the text of others may name users and hosts


rounds = Rounds(health_checks.ALL)


@login_not_required
@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 when every part works, else 503; always with the state of each part."""
    parts = rounds.parts()
    well = all(part.ok for part in parts.values())
    body = {"status": "ok" if well else "unavailable", "parts": {name: asdict(part) for name, part in parts.items()}}
    return JsonResponse(body, status=200 if well else 503)


@login_not_required
@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """As `ready`, but 200 as long as this process can answer: what a watchdog asks before it restarts the web."""
    parts = rounds.parts()
    well = all(part.ok for part in parts.values())
    body = {"status": "ok" if well else "degraded", "parts": {name: asdict(part) for name, part in parts.items()}}
    return JsonResponse(body)


urls: list[URLPattern] = [path("live", live, name="health-live"), path("ready", ready, name="health-ready")]
