"""What every change to people and subscriptions asks first."""

from django.core.exceptions import ValidationError

from portal.accounts.models import Subscription, User
from portal.core import texts
from portal.core.actor import Actor
from portal.core.errors import Invalid, NotAllowed


def require_full(actor: Actor) -> None:
    """Raise NotAllowed for a token that may only read."""
    if actor.read_only:
        raise NotAllowed("This token is read-only.", remedy="Create one with full access.")


_NEEDED = frozenset({"username", "name"})


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
    if errors := unreadable(row):
        raise Invalid(errors)


def unreadable(row: User | Subscription) -> dict[str, list[str]]:
    """Messages for the fields in which a text would read otherwise than it is."""
    fields = ("username", "full_name", "email") if isinstance(row, User) else ("name", "description")
    found = {name: texts.problem(getattr(row, name), required=name in _NEEDED, lines=False) for name in fields}
    return {name: [problem] for name, problem in found.items() if problem}
