"""Validation of requests for vaults."""

from datetime import timedelta

from portal.approvals.states import RequestState
from portal.core.errors import Invalid
from vaults.models import Redundancy, Region, VaultRequest
from vaults.regions.catalog import open_pair_of
from vaults.rules import name_malformed, text_problem

DOUBLE_CLICK = timedelta(seconds=10)


def find_duplicate(wanted: VaultRequest) -> VaultRequest | None:
    """An identical pending request of the same person, seconds old: the form was sent twice."""
    return (
        VaultRequest.objects.select_related("region", "subscription", "requested_by")
        .filter(
            state=RequestState.PENDING,
            requested_at__gt=wanted.requested_at - DOUBLE_CLICK,
            requested_by=wanted.requested_by,
            subscription=wanted.subscription,
            name=wanted.name,
            region=wanted.region,
            redundancy=wanted.redundancy,
            reason=wanted.reason,
        )
        .first()
    )


def require_valid(wanted: VaultRequest) -> None:
    """Raise Invalid, with the messages for each field, unless a vault like this can be made."""
    found = {
        "name": name_malformed(wanted.name),
        "region": "" if wanted.region.enabled else f"{wanted.region.name} is closed for new vaults.",
        "redundancy": _redundancy_problem(wanted.region, wanted.redundancy),
        "reason": text_problem(wanted.reason, required=True),
    }
    if errors := {field: [message] for field, message in found.items() if message}:
        raise Invalid(errors)


def _redundancy_problem(region: Region, redundancy: str) -> str:
    if redundancy not in Redundancy.values:
        return "Choose geo or local."
    if redundancy == Redundancy.GEO and open_pair_of(region) is None:
        return f"{region.name} has no open paired region; choose {Redundancy.LOCAL.label}."
    return ""
