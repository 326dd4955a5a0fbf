"""Leases on rows: who may work on a row now, decided by the database alone.

A task claims a row by compare-and-set with a fresh token and the database's clock; each save of progress is made on
condition that the token is still its own. The sweep finds rows that are due and have no live lease. The row, not the
broker, is the truth.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from django.db import models
from django.db.models.functions import Least, Now

RELEASED: Mapping[str, Any] = {"lease_token": None, "lease_until": None}
"""The columns of a row that nobody holds."""


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

    def save_held(self, *, hold: int = 0, release: bool = False, **changes: object) -> None:
        """Store `changes` on condition that the lease is still ours; hold it for `hold` more seconds, or release it.

        Raises LeaseLost.
        """
        held = type(self)._default_manager.filter(pk=self.pk, lease_token=self.lease_token)
        lease: Mapping[str, object] = {"lease_until": Now() + timedelta(seconds=hold)} if hold else {}
        if release:
            lease = RELEASED
        if self.lease_token is None or not held.update(**changes, **lease):
            raise LeaseLost(f"{self._meta.label} {self.pk}")
        for name, value in changes.items():
            if not hasattr(value, "resolve_expression"):  # what the database computes is only known there
                setattr(self, name, value)

    def extend(self, seconds: int) -> None:
        """Hold the row for `seconds` from now on; raises LeaseLost."""
        self.save_held(hold=seconds)


Row = TypeVar("Row", bound=Leased)
Trouble = TypeVar("Trouble", bound=Exception)


def run(
    claimed: Row | None,
    work: Callable[[Row], None],
    *,
    trouble: type[Trouble],
    on_trouble: Callable[[Row, Trouble], None],
) -> None:
    """Make one attempt at a row that was claimed; nothing for None, which could not be.

    `work` raises `trouble` for what may be over at the next attempt; `on_trouble` notes it and releases the lease.
    Nothing more is done to a row that another worker or a person has taken over meanwhile.
    """
    if claimed is None:
        return
    try:
        try:
            work(claimed)
        except trouble as error:
            on_trouble(claimed, error)
    except LeaseLost:
        return
