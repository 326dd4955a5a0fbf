"""The addresses of static files: as Django's storage has them, made once."""

from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.management import call_command
from pytest_django import Settings

from portal.web.static_files import KnownAddresses


def test_addresses_are_those_of_the_manifest(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "portal.web.static_files.KnownAddresses"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    ours, theirs = KnownAddresses(), ManifestStaticFilesStorage()
    expected = theirs.url("icons.svg")
    assert expected.startswith("/static/icons.")
    assert expected != "/static/icons.svg"
    assert ours.url("icons.svg") == expected
    monkeypatch.setattr(ours, "stored_name", None)  # it is not asked again
    assert ours.url("icons.svg") == expected
    with pytest.raises(TypeError):
        ours.url("js/frame.js")
