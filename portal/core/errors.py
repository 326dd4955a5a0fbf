"""What can go wrong for reasons that a person or a program can act on.

Domain functions raise these; `portal.web.middleware` shows them as pages, `portal.api.app` as RFC 9457 problem details.
A message is fit for people: what happened, why, and the next step; it never holds a secret.
"""

from collections.abc import Mapping

from django.db import InterfaceError, OperationalError


class DomainError(Exception):
    """A refusal with a machine-readable `code`, an HTTP `status`, a `message` and, when there is one, a `remedy`."""

    code = "failed"
    codes: tuple[str, ...] = ()  # where one class has several
    status = 400
    retry_after = 0  # seconds until trying again makes sense; 0 says nothing about it

    def __init__(self, message: str, *, remedy: str = "", code: str = "", **extra: object) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code or type(self).code
        self.extra: Mapping[str, object] = extra

    @property
    def detail(self) -> str:
        """The whole text: the message, then the remedy."""
        return f"{self.message} {self.remedy}".strip()


REVIEW_AGAIN = "Reload the page and review it."
"""The remedy where somebody else was first: true on that page itself, beside it, and for a program."""


class Invalid(DomainError):
    """Input that cannot be accepted; `errors` has the messages for each field."""

    code = "invalid"
    status = 422

    def __init__(self, errors: Mapping[str, list[str]], message: str = "Some fields are not valid.") -> None:
        super().__init__(message, errors=dict(errors))
        self.errors = errors


class NameTaken(DomainError):
    """Another open request, vault or restorable vault of the subscription has the name."""

    code = "name_taken"
    status = 409


class TooManyOpen(DomainError):
    """The person has as many open requests as one may have."""

    code = "too_many_open"
    status = 409


class NotFound(DomainError):
    """There is no such thing, or you may not see it."""

    code = "not_found"
    status = 404

    def __init__(self, message: str = "Not found, or you do not have access.") -> None:
        super().__init__(message)


class NotAllowed(DomainError):
    """You may see it, but not do this."""

    code = "not_allowed"
    status = 403


class OwnRequest(NotAllowed):
    """Nobody decides on their own request."""

    code = "own_request"


class StaleState(DomainError):
    """It is no longer in the state that the change started from: somebody else was first."""

    code = "stale_state"
    status = 409


class ContentChanged(DomainError):
    """The decision was about other content than what is there now."""

    code = "content_changed"
    status = 409


class RedundancyLocked(DomainError):
    """A machine has registered; the redundancy stays as it is."""

    code = "redundancy_locked"
    status = 409


class Throttled(DomainError):
    """Too many tries; `retry_after` is in seconds."""

    code = "throttled"
    status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, retry_after=retry_after)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """A part that is needed is not responding. Try again after the seconds in Retry-After."""

    code = "unavailable"
    status = 503
    retry_after = 30


DATABASE_AWAY = (OperationalError, InterfaceError)
"""What Django raises when the database is away, locked for longer than we wait, or out of room."""


def unavailable() -> Unavailable:
    """What people and programs are told while the database does not answer."""
    return Unavailable("The portal is temporarily unavailable.", remedy="Try again in a minute.")
