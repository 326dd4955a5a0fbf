"""Audit entries and notifications."""

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from django.utils import timezone

from portal.accounts.models import Subscription, User
from portal.audit.models import AuditEvent
from portal.audit.targets import Target
from portal.core.actor import Actor, Via
from portal.notifications.models import Notification
from vaults.models import Vault

BATCH = 5_000
ACTIONS = (
    "vault-request:submit",
    "vault-request:approved",
    "vault:create",
    "vault:active",
    "credential:issue",
    "machine:register",
    "machine:ready",
    "session:begin",
    "session:end",
    "membership:add",
)


def audit(number: int, vaults: list[Vault], people: list[User], dice: random.Random) -> None:
    """`number` entries over two years, by all the people, with every action of ACTIONS."""
    entries = _entries(number, vaults, people, dice)
    while batch := list(islice(entries, BATCH)):
        AuditEvent.objects.bulk_create(batch)


def _entries(number: int, vaults: list[Vault], people: list[User], dice: random.Random) -> Iterator[AuditEvent]:
    begin, pace = timezone.now() - timedelta(days=730), timedelta(days=730) / number
    for index in range(number):
        person = dice.choice(people)
        vault = vaults[0] if index % 100 == 0 else dice.choice(vaults)
        yield AuditEvent.of(
            dice.choice(ACTIONS),
            at=begin + pace * index,
            actor=Actor(user=person, label=person.username, via=Via.PAGE, address="192.0.2.7"),
            target=Target.of(vault),
            detail={"from": "pending", "to": "approved", "reason": "Needed for the quarterly close."},
            refused=index % 50 == 0,
        )


def notifications(owners: list[Subscription], each: int) -> None:
    """`each` ended entries in each subscription, three of them of the last hours."""
    now = timezone.now()
    Notification.objects.bulk_create(
        (
            Notification(
                key=f"bench:{owner.pk}:{index}",
                subscription=owner,
                state=Notification.State.SUCCEEDED,
                title=f'Successfully created vault "payroll-{index}".',
                progress=100,
                url="/vaults/",
                started_at=now - _ago(index),
                updated_at=now - _ago(index),
                finished_at=now - _ago(index),
            )
            for owner in owners
            for index in range(each)
        ),
        batch_size=BATCH,
    )


def _ago(index: int) -> timedelta:
    return timedelta(hours=index + 1) if index < 3 else timedelta(days=index)
