"""Settings of the unit tests: the real ones, in a data folder of their own, with a fast password hasher."""

import atexit
import os
import shutil
import tempfile

# A new folder for each process, since the workers of a parallel run inherit the environment of the one that starts
# them. Its path is short: unix sockets lie below it.
_folder = tempfile.mkdtemp(prefix="sr-", dir="/tmp")
os.environ["STRONGROOM_DATA"] = _folder
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

from portal.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if "sqlite3" in str(DATABASES["default"]["ENGINE"]):  # noqa: F405
    # A file, as in real life: threads of a test share nothing but it, where one in memory would share its locks too.
    DATABASES["default"]["TEST"] = {"NAME": DATA / "test.sqlite3"}  # noqa: F405
    # It is thrown away whatever happens, so nothing waits for the disk.
    DATABASES["default"]["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"  # noqa: F405

# Nothing is collected for a test: addresses of static files are those of the sources.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405

OPEN_REQUESTS = 1000  # tests of lists ask for many; tests/vaults/requests/test_open_requests.py has the bound

INSTALLED_APPS = [*INSTALLED_APPS, "tests.portal.approvals.quota_changes"]  # noqa: F405
