"""How machines delete, as the tests play it, and days pass for what they deleted."""

from collections.abc import Callable
from datetime import timedelta

from portal.core.actor import Actor, Via
from vaults.models import RemovedObject

ACTOR = Actor(label="machine db-01", via=Via.AGENT, address="192.0.2.7")
Delete = Callable[[str], None]


def of_kind(stored: dict[str, bytes], kind: str) -> str:
    """The path of the one object of that kind."""
    return next(path for path in stored if f"/{kind}/" in path)


def pass_by(days: int) -> None:
    """Let so many days pass for what was deleted."""
    for row in RemovedObject.objects.all():
        RemovedObject.objects.filter(pk=row.pk).update(
            removed_at=row.removed_at - timedelta(days=days),
            moved_at=row.moved_at and row.moved_at - timedelta(days=days),
        )
