"""Making a vault's storage: the steps, troubles, crashes, and another try."""

from collections.abc import Callable
from pathlib import Path

import pytest

from portal.notifications.models import Notification
from tests.vaults.conftest import again, vault_of
from vaults import provisioning
from vaults.models import Operation
from vaults.states import OperationState, VaultState

pytestmark = pytest.mark.usefixtures("storage")
Creating = Callable[..., Operation]


def test_a_geo_redundant_vault_becomes_active_with_containers_in_both_regions(
    creating: Creating, storage: Path
) -> None:
    operation = creating()
    provisioning.run(operation.pk)
    vault = vault_of(operation)
    assert (vault.state, again(operation.pk).state) == (VaultState.ACTIVE, OperationState.SUCCEEDED)
    assert [list((storage / slug / str(vault.pk)).iterdir()) for slug in ("local-a", "local-b")] == [[], []]
    entry = Notification.objects.get(key=f"vault-create:{vault.pk}")
    assert (entry.state, entry.title, entry.progress) == ("succeeded", 'Successfully created vault "Payroll".', 100)
