"""The WSGI application that granian serves. In production it does not come up in a deployment that is not safe."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)

from portal.checks import refuse_unsafe  # noqa: E402 - the settings have to be loaded first
from portal.web.requests import Handler  # noqa: E402

application = Handler()
refuse_unsafe()
