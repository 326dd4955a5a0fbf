"""The states that every kind of request has."""

from django.db import models

from portal.core.states import StateDisplay, StateTable


class RequestState(models.TextChoices):
    """A request that others decide on. A kind may have more states behind `approved`."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


def table(noun: str, *, approved: str, decided_by: str = "an approver") -> StateTable:
    """The states of a kind of request that is over with the decision; `approved` says what follows on a yes."""
    return StateTable(
        noun=noun,
        looks={
            RequestState.PENDING: StateDisplay(
                "Waiting for approval", "amber", f"{decided_by.capitalize()} must review it."
            ),
            RequestState.APPROVED: StateDisplay("Approved", "green", approved),
            RequestState.REJECTED: StateDisplay("Rejected", "red", f"Rejected by {decided_by}; the comment says why."),
            RequestState.CANCELLED: StateDisplay("Cancelled", "grey", "Cancelled by the requester."),
            RequestState.EXPIRED: StateDisplay("Expired", "grey", "Nobody decided in time."),
        },
        moves={RequestState.PENDING: frozenset(RequestState) - {RequestState.PENDING}},
        busy=frozenset({RequestState.PENDING}),
    )
