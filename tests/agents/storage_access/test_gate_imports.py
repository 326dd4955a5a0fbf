"""The gate is one small process and its parent: what it never uses, it does not load."""

import json
import os
import subprocess
import sys

LOADED = """
import json, sys
import portal.wsgi
from django.urls import get_resolver
get_resolver().url_patterns
print(json.dumps(sorted({"celery", "kombu", "httpx", "ninja"} & sys.modules.keys())))
"""


def test_the_gate_loads_neither_celery_nor_httpx() -> None:
    """They are a quarter of the memory that it took with them."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.gate_settings"}
    done = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
