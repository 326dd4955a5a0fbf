"""What beat runs: the schedule and the way to the broker. It knows tasks by name alone, so it loads neither them nor
Django's models, which is two thirds of what it would take in memory."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from portal.celery_settings import CONFIGURATION
from portal.checks import refuse_unsafe

app = Celery("strongroom", fixups=[])
app.conf.update(CONFIGURATION)

refuse_unsafe()
