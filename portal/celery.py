"""The Celery application. No result backend: pages read rows."""

import os

from celery import Celery

from portal.celery_settings import CONFIGURATION

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("strongroom")
app.conf.update(CONFIGURATION)
app.autodiscover_tasks(["portal", "vaults", "agents"])
