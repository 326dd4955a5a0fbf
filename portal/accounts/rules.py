"""What every change to people and subscriptions asks first."""

from django.core.exceptions import ValidationError

from portal.accounts.actors import Actor
from portal.accounts.models import Subscription, User
from portal.errors import Invalid, NotAllowed


def require_administrator(actor: Actor) -> None:
    """Raise NotAllowed for people who are not administrators; the system and the command line may."""
    if actor.read_only or (actor.user is not None and not (actor.user.is_active and actor.user.is_administrator)):
        raise NotAllowed("Only administrators may do this.")


def require_valid(row: User | Subscription) -> None:
    """Raise Invalid, with messages for each field, for a row that must not be stored."""
    try:
        row.full_clean()
    except ValidationError as error:
        raise Invalid(error.message_dict) from error
