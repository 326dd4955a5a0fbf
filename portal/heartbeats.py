"""Signs of life of the background parts, read by `/health/ready`."""

from datetime import timedelta

from django.utils import timezone

from portal.models import Heartbeat


def beat(name: str) -> None:
    """Note that the part `name` has just done its work."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now()})


def age(name: str) -> timedelta | None:
    """How long ago the part was last seen; None when it never was."""
    at = Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
    return None if at is None else timezone.now() - at


def forget() -> None:
    """Forget all of them, before a start: signs of an earlier run would say that parts live which are not there yet."""
    Heartbeat.objects.all().delete()
