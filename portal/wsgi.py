"""The WSGI application that granian serves. In production it does not come up in a deployment that is not safe."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from portal.checks import refuse_unsafe  # noqa: E402 - the settings have to be loaded first

refuse_unsafe()
