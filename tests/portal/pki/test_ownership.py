"""A database belongs to one root: a second host without it is turned away, a rotation takes it along."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Via
from portal.models import KnownRoot
from portal.pki import authorities, keyring, ownership, rotation
from tests.at_once import at_once

pytestmark = pytest.mark.django_db
ACTOR = Actor(label="pki", via=Via.COMMAND)


@pytest.fixture
def host(settings: Settings, tmp_path: Path) -> "Host":
    return Host(settings, tmp_path)


class Host:
    """Hosts that share the database, each with a data folder of its own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder = settings, folder

    def starts(self, name: str, *options: str) -> str:
        """Its step of `make run`; what it says."""
        self.settings.PKI = self.folder / name / "pki"
        out = StringIO()
        call_command("prepare_pki", *options, stdout=out)
        return out.getvalue()


def known() -> set[str]:
    return set(KnownRoot.objects.values_list("fingerprint", flat=True))


def test_a_second_host_is_turned_away_before_it_makes_anything(host: Host) -> None:
    host.starts("a")
    roots = known()
    with pytest.raises(CommandError, match=r"belongs to the root .* has none\. Copy the folder pki"):
        host.starts("b")
    assert (list(host.folder.glob("b/pki/*")), known()) == ([], roots)
    host.starts("a")


def test_nor_does_one_with_another_root(host: Host) -> None:
    host.settings.PKI = host.folder / "b" / "pki"
    authorities.load_keyring()
    host.starts("a")
    with pytest.raises(CommandError, match="has another"):
        host.starts("b")


def test_a_host_with_the_same_keys_is_welcome(host: Host) -> None:
    host.starts("a")
    (host.folder / "b").mkdir()
    (host.folder / "a" / "pki").rename(host.folder / "b" / "pki")
    host.starts("b")


def test_a_rotation_takes_it_along(host: Host) -> None:
    host.starts("a")
    first = known()
    rotation.rotate(ACTOR, with_root=True)
    assert (len(known()), known() > first) == (2, True)
    host.starts("a")
    rotation.retire(ACTOR, whoever_needs_it=True)
    assert (len(known()), known() & first) == (1, set())
    host.starts("a")


@pytest.mark.parametrize("step", ["rotate", "retire"])
def test_who_dies_before_the_renaming_starts_again(host: Host, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    host.starts("a")
    if step == "retire":
        rotation.rotate(ACTOR, with_root=True)
    steps = {
        "rotate": lambda: rotation.rotate(ACTOR, with_root=True),
        "retire": lambda: rotation.retire(ACTOR, whoever_needs_it=True),
    }

    def dies(*args: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("portal.pki.keyring.os.rename", dies)
        with pytest.raises(OSError, match="killed"):
            steps[step]()
    host.starts("a")
    assert ownership.fingerprint(authorities.load_keyring().current) in known()


def test_a_root_that_is_lost_is_given_up_by_name(host: Host) -> None:
    host.starts("a")
    roots = known()
    host.starts("b", "--another-root")
    assert (len(known()), known() & roots) == (1, set())
    assert AuditEvent.objects.get(action="pki:another-root").detail == {"before": sorted(roots)}
    with pytest.raises(CommandError, match="has another"):
        host.starts("a")


@pytest.mark.django_db(transaction=True)
def test_of_two_that_begin_at_once_one_is_first(host: Host) -> None:
    rings = []
    for name in ("a", "b"):
        host.settings.PKI = host.folder / name / "pki"
        rings.append(authorities.load_keyring())
    at_once([lambda ring=ring: ownership.begin(ring) for ring in rings])  # type: ignore[misc]
    assert len(known()) == 1
    assert known() < {ownership.fingerprint(ring.current) for ring in rings}
    assert keyring.read() is not None
