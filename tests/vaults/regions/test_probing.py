"""Each region is written to and read now and then, and health says which one does not work."""

from pathlib import Path

import pytest
from django.conf import settings

from portal.health import checks, heartbeats
from portal.health.checks import Unwell
from vaults.models import Region
from vaults.regions import probing
from vaults.regions.storage.base import StorageRefused
from vaults.regions.storage.rclone import RcloneRegion

pytestmark = pytest.mark.usefixtures("storage")


@pytest.fixture(autouse=True)
def _gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program that answers in the place of the gate, which these tests do without."""
    monkeypatch.setattr(settings, "GATE_SOCKET", settings.STORAGE_SOCKET)


def refusing(monkeypatch: pytest.MonkeyPatch, *slugs: str) -> None:
    """Regions whose key is wrong."""
    write = RcloneRegion.write

    def refuse(self: RcloneRegion, path: str, data: bytes) -> None:
        if self.slug in slugs:
            raise StorageRefused(f"{self.name} denies access.")
        write(self, path, data)

    monkeypatch.setattr(RcloneRegion, "write", refuse)


def test_regions_that_work(regions: tuple[Region, Region], storage: Path) -> None:
    probing.probe()
    assert heartbeats.troubles(["region local-a", "region local-b"]) == {}
    assert checks.storage() == "storage and 2 gateways answer"
    assert (storage / "local-a" / "strongroom" / "probe").exists()


def test_one_that_does_not_is_named_and_the_rest_goes_on(
    regions: tuple[Region, Region], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, "local-b")
    probing.probe()
    assert checks.storage() == "storage and 2 gateways answer - Local B denies access."


def test_when_none_works_the_part_is_not_well(regions: tuple[Region, Region], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        refusing(patch, "local-a", "local-b")
        probing.probe()
        with pytest.raises(Unwell, match=r"Local A denies access\. Local B denies access\."):
            checks.storage()
    probing.probe()
    assert checks.storage() == "storage and 2 gateways answer"


def test_other_content_is_a_trouble(regions: tuple[Region, Region], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RcloneRegion, "read", lambda self, path: b"something else")
    probing.probe()
    assert heartbeats.troubles(["region local-a"]) == {"region local-a": "Local A returned other data than was stored."}
