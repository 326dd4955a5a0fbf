"""The Celery application. No result backend: pages read rows."""

import os

from celery import Celery
from celery.signals import celeryd_init, worker_ready
from django.core.exceptions import ImproperlyConfigured

from portal import checks
from portal.config.celery_settings import CONFIGURATION

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("strongroom")
app.conf.update(CONFIGURATION)
app.autodiscover_tasks(["portal", "vaults", "agents"])


@celeryd_init.connect
def refuse_unsafe(**kwargs: object) -> None:
    """A worker does not come up in a production that is not safe; who only hands work over is not asked here."""
    try:
        checks.refuse_unsafe()
    except ImproperlyConfigured as refusal:
        raise SystemExit(f"The worker does not start: {refusal}") from refusal


@worker_ready.connect
def start_the_clock(**kwargs: object) -> None:
    """A worker that takes messages also sends what is due; whoever only hands work over does not load the clock."""
    from portal.config.beat_app import Clock

    Clock(app).start()
