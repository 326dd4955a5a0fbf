"""What the tests of machines share."""

import pytest

from vaults.models import PairedCopy, Region, Vault


@pytest.fixture
def copied(vault: Vault, regions: tuple[Region, Region]) -> PairedCopy:
    """The copy of `vault` in the paired region."""
    return PairedCopy.objects.create(vault=vault, region=regions[1])
