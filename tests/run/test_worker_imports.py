"""The worker is one process that is always there: what it never uses, it does not load."""

import json
import os
import subprocess
import sys

LOADED = """
import json, os, sys
os.environ["CELERY_SKIP_CHECKS"] = "true"
from portal.celery import app
app.loader.import_default_modules()
loaded = {"celery.bin.celery", "jinja2", "ninja", "pydantic", "joserfc", "botocore"} & sys.modules.keys()
print(json.dumps([sorted(loaded), "vaults.sweep" in app.tasks]))
"""


def test_the_worker_loads_neither_pages_nor_messages_of_machines() -> None:
    """Nor Celery's command line. All that together is a fifth of what it takes."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    done = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], True]
