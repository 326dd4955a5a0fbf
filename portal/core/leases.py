"""Leases on rows: who may work on a row now, decided by the database alone.

A task claims a row by compare-and-set with a fresh token and the database's clock; each save of progress is made on
condition that the token is still its own. The sweep finds rows that are due and have no live lease. The row, not the
broker, is the truth.
"""

import uuid
from datetime import timedelta

from django.db import models
from django.db.models.functions import Least, Now


class LeaseLost(Exception):
    """Another worker owns the row now, or a person started it again: stop without changing anything."""


class Leased(models.Model):
    """Columns of a row that background tasks work on."""

    lease_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    due_at = models.DateTimeField(null=True, db_index=True)  # null: nothing to do
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True

    @classmethod
    def unclaimed(cls) -> models.Q:
        """Rows that are due and that nobody holds, by the database's clock."""
        return models.Q(due_at__lte=Now()) & (models.Q(lease_until__isnull=True) | models.Q(lease_until__lt=Now()))

    def claim(self, seconds: int) -> bool:
        """Take the row for `seconds`, counting an attempt; False when it is not due or another holds it.

        Store `due_at` as the database's Now(): a clock with finer ticks is ahead of it for part of a millisecond.
        """
        token = uuid.uuid4()
        taken = (
            type(self)
            ._default_manager.filter(type(self).unclaimed(), pk=self.pk)
            .update(
                lease_token=token,
                lease_until=Now() + timedelta(seconds=seconds),
                attempts=Least(models.F("attempts") + 1, 1000),  # some work is tried for ever
            )
        )
        if taken:
            self.refresh_from_db()
        return bool(taken)

    def save_held(self, *, hold: int = 0, **changes: object) -> None:
        """Store `changes` on condition that the lease is still ours, holding on for `hold` more seconds if given.

        Raises LeaseLost.
        """
        held = type(self)._default_manager.filter(pk=self.pk, lease_token=self.lease_token)
        lease = {"lease_until": Now() + timedelta(seconds=hold)} if hold else {}
        if self.lease_token is None or not held.update(**changes, **lease):
            raise LeaseLost(f"{self._meta.label} {self.pk}")
        for name, value in changes.items():
            if not hasattr(value, "resolve_expression"):  # what the database computes is only known there
                setattr(self, name, value)

    def extend(self, seconds: int) -> None:
        """Hold the row for `seconds` from now on; raises LeaseLost."""
        self.save_held(hold=seconds)
