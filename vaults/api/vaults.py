"""JSON endpoints of vaults: read, change the redundancy, try again, hand out a credential."""

from uuid import UUID

from django.http import HttpResponse
from ninja import Router, Status

from portal.api.problems import refuses
from portal.api.schemas import PageOut, PageQuery, listed
from portal.core.errors import RedundancyLocked, StaleState
from portal.core.http import ApiRequest
from portal.core.paging import page_of
from vaults.api.schemas import ChallengeOut, CredentialIn, RedundancyIn, VaultOut, vault_out
from vaults.credentials import possession, vault_credentials
from vaults.credentials.issuance import VaultNotActive
from vaults.lifecycle import creation, redundancy
from vaults.models import Vault
from vaults.queries import vault_seen_by

router = Router()


@router.get("", response=PageOut[VaultOut], summary="Vaults, by name")
def vaults(request: ApiRequest, wanted: PageQuery) -> dict[str, object]:
    """The vaults that you may see."""
    rows = Vault.objects.visible_to(request.auth.person).select_related("region", "subscription")
    return listed(page_of(rows, "name_key", "id", after=wanted.after, limit=wanted.limit), vault_out)


@router.get("/{uuid:vault_id}", response=VaultOut, summary="One vault")
def one_vault(request: ApiRequest, vault_id: UUID) -> dict[str, object]:
    """Its state, with the reason when it is Failed, and what is known of its machines."""
    return vault_out(vault_seen_by(request.auth, vault_id))


@router.patch(
    "/{uuid:vault_id}",
    response=VaultOut,
    summary="Change the redundancy",
    openapi_extra=refuses(RedundancyLocked, StaleState),
)
def change(request: ApiRequest, vault_id: UUID, body: RedundancyIn) -> dict[str, object]:
    """Until the first machine registers; from then on `redundancy_locked`."""
    redundancy.change(vault_id, actor=request.auth, redundancy=body.redundancy)
    return vault_out(vault_seen_by(request.auth, vault_id))


@router.post("/{uuid:vault_id}/retry", response=VaultOut, summary="Retry", openapi_extra=refuses(StaleState))
def retry(request: ApiRequest, vault_id: UUID) -> dict[str, object]:
    """Set up the storage of a Failed vault again, or do the work on the copy of an Active one again that failed."""
    creation.retry(vault_id, actor=request.auth)
    return vault_out(vault_seen_by(request.auth, vault_id))


@router.post("/{uuid:vault_id}/credentials/challenge", response={201: ChallengeOut}, summary="Request a challenge")
def challenge(request: ApiRequest, response: HttpResponse, vault_id: UUID) -> Status[dict[str, object]]:
    """To prove with that you hold the key that a credential shall be for. Yours, for this vault, once, ten minutes."""
    response["Cache-Control"] = "no-store"
    made = possession.new(vault_id, actor=request.auth)
    return Status(201, {"challenge": made.text, "expires_at": made.expires_at})


@router.post(
    "/{uuid:vault_id}/credentials",
    response={201: dict[str, object]},
    summary="Issue a vault credential",
    openapi_extra=refuses(VaultNotActive),
)
def issue(request: ApiRequest, response: HttpResponse, vault_id: UUID, body: CredentialIn) -> Status[dict[str, object]]:
    """The credential file. Ends the one before.

    With a key of your own (`public_key`, `proof`, `challenge`) all but the private key; otherwise the portal makes one,
    which is in this answer and nowhere else.
    """
    response["Cache-Control"] = "no-store"
    if body.claim is None:
        issued = vault_credentials.issue(vault_id, actor=request.auth, machines=body.machines)
    else:
        issued = possession.issue(vault_id, body.claim, actor=request.auth, machines=body.machines)
    return Status(201, dict(issued.document))
