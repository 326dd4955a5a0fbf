"""Signs of life of the background parts, read by `/health/ready`."""

from collections.abc import Iterable
from datetime import timedelta

from django.utils import timezone

from portal.models import Heartbeat


def beat(name: str, trouble: str = "") -> None:
    """Note that the part `name` has just done its work, or has been looked at and has a `trouble`."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now(), "trouble": trouble[:200]})


def troubles(names: Iterable[str]) -> dict[str, str]:
    """Those of the parts that had a trouble when they were last looked at, and which."""
    found = Heartbeat.objects.filter(name__in=list(names)).exclude(trouble="").order_by("name")
    return dict(found.values_list("name", "trouble"))


def age(name: str) -> timedelta | None:
    """How long ago the part was last seen; None when it never was."""
    at = Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
    return None if at is None else timezone.now() - at


def clear() -> None:
    """Forget all of them, before a start: signs of an earlier run would say that parts live which are not there yet."""
    Heartbeat.objects.all().delete()
