"""vaults.space: what the storage says is what the edge goes by."""

import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from vaults.models import Region
from vaults.regions import capacity
from vaults.regions.storage.base import StorageUnavailable


def test_figures_are_those_of_the_disk(storage: Path, regions: tuple[Region, Region]) -> None:
    capacity.measure()
    disk = shutil.disk_usage(storage)
    for region in Region.objects.all():
        assert region.total_bytes == disk.total
        assert region.free_bytes is not None
        assert abs(region.free_bytes - disk.free) < 10**9


def test_storage_that_does_not_answer_keeps_its_last_figures(
    regions: tuple[Region, Region], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(region: Region) -> NoReturn:
        raise StorageUnavailable(f"{region} does not answer.")

    monkeypatch.setattr(capacity, "region_storage", silent)
    Region.objects.update(free_bytes=1, total_bytes=2)
    capacity.measure()
    assert list(Region.objects.values_list("free_bytes", "total_bytes")) == [(1, 2), (1, 2)]
