"""From asking for a vault to the decision."""

from portal.accounts.actors import Actor
from portal.accounts.models import Subscription
from vaults import approvals
from vaults.models import Region
from vaults.states import RequestState, VaultState


def test_an_approved_request_makes_a_vault(
    requester: Actor, decider: Actor, subscription: Subscription, regions: tuple[Region, Region]
) -> None:
    request = approvals.submit(
        actor=requester, subscription=subscription, name="Payroll", region=regions[0], redundancy="geo", reason="Pay"
    )
    request = approvals.approve(request.pk, actor=decider, comment="", digest=request.digest)
    assert request.vault is not None
    assert (request.state, request.vault.state) == (RequestState.APPROVED, VaultState.CREATING)
