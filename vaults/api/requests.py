"""JSON endpoints of requests: ask for a vault, read, decide."""

from uuid import UUID

from ninja import Router, Status

from portal.api.problems import refuses
from portal.api.schemas import PageOut, PageQuery, listed
from portal.core.errors import ContentChanged, NameTaken, NotFound, OwnRequest, StaleState, TooManyOpen
from portal.core.http import ApiRequest
from portal.core.paging import page_of
from vaults.api.schemas import DecisionIn, RequestIn, RequestOut, request_out
from vaults.models import VaultRequest
from vaults.queries import region_named, request_seen_by, subscription_named, with_decisions
from vaults.requests import vault_requests

router = Router()


@router.post(
    "", response={201: RequestOut}, summary="Request a vault", openapi_extra=refuses(NotFound, NameTaken, TooManyOpen)
)
def submit(request: ApiRequest, body: RequestIn) -> Status[dict[str, object]]:
    """The request waits for an approver, who is somebody else."""
    made = vault_requests.submit(
        actor=request.auth,
        subscription=subscription_named(request.auth, body.subscription),
        name=body.name,
        region=region_named(body.region),
        redundancy=body.redundancy,
        reason=body.reason,
    )
    return Status(201, request_out(request_seen_by(request.auth, made.pk)))


@router.get("", response=PageOut[RequestOut], summary="Requests, newest first")
def requests(request: ApiRequest, wanted: PageQuery) -> dict[str, object]:
    """The requests that you may see."""
    rows = with_decisions(VaultRequest.objects.visible_to(request.auth.person))
    return listed(page_of(rows, "-requested_at", "id", after=wanted.after, limit=wanted.limit), request_out)


@router.get("/{uuid:request_id}", response=RequestOut, summary="One request")
def one_request(request: ApiRequest, request_id: UUID) -> dict[str, object]:
    """All that is asked for, and what was decided."""
    return request_out(request_seen_by(request.auth, request_id))


@router.post(
    "/{uuid:request_id}/approve",
    response=RequestOut,
    summary="Approve",
    openapi_extra=refuses(OwnRequest, ContentChanged, StaleState),
)
def approve(request: ApiRequest, request_id: UUID, body: DecisionIn) -> dict[str, object]:
    """The vault is created at once; `vault_id` says which it is."""
    vault_requests.approve(request_id, actor=request.auth, comment=body.comment, digest=body.digest)
    return request_out(request_seen_by(request.auth, request_id))


@router.post(
    "/{uuid:request_id}/reject",
    response=RequestOut,
    summary="Reject",
    openapi_extra=refuses(OwnRequest, ContentChanged, StaleState),
)
def reject(request: ApiRequest, request_id: UUID, body: DecisionIn) -> dict[str, object]:
    """Needs a comment, which the requester reads."""
    vault_requests.reject(request_id, actor=request.auth, comment=body.comment, digest=body.digest)
    return request_out(request_seen_by(request.auth, request_id))


@router.post(
    "/{uuid:request_id}/cancel",
    response=RequestOut,
    summary="Cancel",
    openapi_extra=refuses(ContentChanged, StaleState),
)
def cancel(request: ApiRequest, request_id: UUID, body: DecisionIn) -> dict[str, object]:
    """Take back a request of your own that nobody has decided on."""
    vault_requests.cancel(request_id, actor=request.auth, comment=body.comment, digest=body.digest)
    return request_out(request_seen_by(request.auth, request_id))
