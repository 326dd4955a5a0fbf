"""What a domain function refuses, shown in the form that was sent."""

from django.forms import BaseForm

from portal.core.errors import DomainError, Invalid


def show_refusal(form: BaseForm, error: DomainError, *, beside: str | None = None) -> None:
    """Add what `error` says to the errors of the form, which has been validated.

    Invalid names its fields; what it says of a field that the form does not have, and all that other errors say, is
    shown at the field `beside`, or above the form without one. Nothing that was typed is lost.
    """
    if not isinstance(error, Invalid):
        form.add_error(beside, error.detail)
        return
    for name, messages in error.errors.items():
        form.add_error(name if name in form.fields else beside, list(messages))
