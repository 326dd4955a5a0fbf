"""`manage.py pki reseal`: another sealing key, and what is left when it is cut off in the middle."""

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings

from portal.core.actor import Actor, Via
from portal.pki import authorities, rotation
from portal.pki.crypto import keys

pytestmark = pytest.mark.django_db
ACTOR = Actor(label="pki", via=Via.COMMAND)
OTHER = "another secret, which is long enough to be one"


@pytest.fixture(autouse=True)
def own_folder(settings: Settings, tmp_path: Path) -> Path:
    """A data folder with keys of two generations."""
    settings.PKI = tmp_path / "pki"
    rotation.rotate(ACTOR, with_root=True)
    return tmp_path / "pki"


def fail(*args: object, **kwargs: object) -> None:
    """What a step does when the machine gives out."""
    raise ConnectionError("gone")


def test_sealed_anew(settings: Settings) -> None:
    """With the old key given beside the new one; the old one opens nothing afterwards."""
    old, before = settings.SEAL_KEY, fingerprints()
    settings.SEAL_KEY, settings.SEAL_KEY_OLD = OTHER, old
    assert fingerprints() == before
    call_command("pki", "reseal")
    settings.SEAL_KEY_OLD = ""
    assert fingerprints() == before
    settings.SEAL_KEY = old
    with pytest.raises(ImproperlyConfigured, match="STRONGROOM_SEAL_KEY is not the one"):
        authorities.signing_key()


def fingerprints() -> list[str]:
    """The public keys of all that is sealed, in the order of the file."""
    ring = authorities.load_keyring()
    found = [authorities.signing_key()]
    for each in ring.generations:
        found += [authorities.authority(getattr(each, name), name).key for name in ("root", "edge", "clients")]
    return [keys.digest(key.public_key()) for key in found]


def test_sealing_anew_needs_the_key_before(settings: Settings, own_folder: Path) -> None:
    before = (own_folder / "keys.json").read_bytes()
    settings.SEAL_KEY = OTHER
    with pytest.raises(CommandError, match="STRONGROOM_SEAL_KEY is not the one that it was sealed with"):
        call_command("pki", "reseal")
    settings.SEAL_KEY = "short"
    with pytest.raises(CommandError, match="at least 32 characters"):
        call_command("pki", "reseal")
    assert (own_folder / "keys.json").read_bytes() == before


@pytest.mark.parametrize(
    "last", ["portal.core.files.tempfile.mkstemp", "portal.core.files.os.fsync", "portal.pki.keyring.os.rename"]
)
def test_what_fails_in_the_middle_changes_nothing(
    last: str, settings: Settings, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk at any step: the file is as it was, opened by the key that it was sealed with, and alone."""
    old, before = settings.SEAL_KEY, fingerprints()
    settings.SEAL_KEY, settings.SEAL_KEY_OLD = OTHER, old
    with monkeypatch.context() as patch:
        patch.setattr(last, fail)
        with pytest.raises(ConnectionError):
            call_command("pki", "reseal")
    settings.SEAL_KEY, settings.SEAL_KEY_OLD = old, ""
    assert fingerprints() == before
    assert [path.name for path in own_folder.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("renamed", [False, True])
def test_a_process_killed_in_the_middle_leaves_one_state_or_the_other(
    renamed: bool, settings: Settings, own_folder: Path
) -> None:
    """Killed outright at the renaming; what it had begun to write is gone after the next change."""
    old, before = settings.SEAL_KEY, fingerprints()
    settings.SEAL_KEY, settings.SEAL_KEY_OLD = OTHER, old
    reseal_and_die(renamed)
    assert len(list(own_folder.iterdir())) == (1 if renamed else 2)
    settings.SEAL_KEY, settings.SEAL_KEY_OLD = (OTHER, "") if renamed else (old, "")
    assert fingerprints() == before
    settings.SEAL_KEY, settings.SEAL_KEY_OLD = OTHER, old
    call_command("pki", "reseal")
    assert [path.name for path in own_folder.iterdir()] == ["keys.json"]


def reseal_and_die(renamed: bool) -> None:
    """In a process of its own, which has no database."""
    pid = os.fork()
    if pid == 0:
        rename = os.rename
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(rotation, "record", lambda *args, **kwargs: None)
                patch.setattr("portal.pki.keyring.os.rename", lambda *names: (renamed and rename(*names), os._exit(9)))
                rotation.reseal(ACTOR)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
