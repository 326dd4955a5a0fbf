"""The audit log: rows are added, never changed or deleted."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, NoReturn

from django.conf import settings
from django.db import models

from portal.audit.targets import Target
from portal.core.actor import Actor
from portal.core.digests import canonical
from portal.core.fields import KeyField
from portal.core.times import rfc3339


class AppendOnly(TypeError):
    """Somebody tried to change or delete what is only ever added to."""


class AuditEvent(models.Model):
    """One thing that happened: who did what to what, when, from where and by which way.

    `content` is the entry, in the exact bytes that can be proven. The other columns are what the log is searched by;
    they say nothing that the content does not. Make entries with `of()`, which fills all of them from one set of facts.
    """

    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    actor_label = models.CharField(max_length=200)
    via = models.CharField(max_length=16)
    address = models.CharField(max_length=45, blank=True)
    action = models.CharField(max_length=64)
    refused = models.BooleanField(default=False)
    target_type = models.CharField(max_length=64, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    target_label = models.CharField(max_length=200, blank=True)
    vault_id = models.UUIDField(null=True)
    serial = KeyField(blank=True)  # of the credential or certificate that the detail names, empty for most
    content = models.TextField()  # RFC 8785

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["action", "-id"]),
            models.Index(fields=["actor_label", "-id"]),
            models.Index(fields=["actor_label", "action", "-id"], name="audit_person_action"),
            models.Index(fields=["vault_id", "-id"]),
            models.Index(fields=["target_id", "-id"]),
            models.Index(fields=["at", "refused"]),
            models.Index(fields=["-id"], condition=models.Q(refused=True), name="audit_refused"),
            models.Index(fields=["serial", "-id"], condition=models.Q(serial__gt=""), name="audit_serial"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_label} {self.action} {self.target_label}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the entry; raises AppendOnly for one that is stored already."""
        if self.pk is not None:
            raise AppendOnly("Audit entries are not changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Always raises AppendOnly."""
        raise AppendOnly("Audit entries are not deleted.")

    @classmethod
    def of(
        cls, action: str, *, at: datetime, actor: Actor, target: Target, detail: Mapping[str, object], refused: bool
    ) -> "AuditEvent":
        """The entry of these facts, not stored yet.

        `detail` is plain JSON; whole numbers that the canonical form does not have (from 2^53 on) are kept as texts,
        and half characters, as in labels, as question marks. Raises ValueError for what is no JSON.
        """
        detail, label, about = _kept(detail), _kept(actor.label[:200]), _kept(target.label)
        content = {
            "at": rfc3339(at),
            "actor": {"id": actor.user.pk if actor.user else None, "label": label},
            "via": str(actor.via),
            "address": actor.address,
            "action": str(action),
            "refused": refused,
            "target": {"type": target.type, "id": target.id, "label": about},
            "vault": str(target.vault_id) if target.vault_id else None,
            "detail": detail,
        }
        return cls(
            at=at,
            actor=actor.user,
            actor_label=label,
            via=actor.via,
            address=actor.address,
            action=action,
            refused=refused,
            target_type=target.type,
            target_id=target.id,
            target_label=about,
            vault_id=target.vault_id,
            serial=str(detail.get("credential") or detail.get("serial") or ""),
            content=canonical(content).decode(),
        )

    @cached_property
    def detail(self) -> dict[str, Any]:
        """What the entry says beside its columns, by name, in the order of the names."""
        return dict(json.loads(self.content)["detail"])


def _kept(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The value as the canonical form can have it."""
    if isinstance(value, Mapping):
        return {_kept(str(name)): _kept(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_kept(one) for one in value]
    if isinstance(value, str):
        return str(value).encode(errors="replace").decode()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    return value


class RefusalCounter(models.Model):
    """The same refusal, again and again: the first is an entry at once, the others are counted here for a minute."""

    action = models.CharField(max_length=64)
    actor_label = models.CharField(max_length=200)
    address = models.CharField(max_length=45, blank=True)  # what counts as one: portal.core.networks
    stranger = models.BooleanField(default=False, db_default=False)
    target_type = models.CharField(max_length=64, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    code = models.CharField(max_length=64, blank=True)
    target_label = models.CharField(max_length=200, blank=True)
    vault_id = models.UUIDField(null=True)
    via = models.CharField(max_length=16)
    since = models.DateTimeField(db_index=True)
    repeated = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["action", "actor_label", "address", "target_type", "target_id", "code"],
                name="refusal_flood_unique",
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_label}, {self.repeated} times more"

    @property
    def target(self) -> Target:
        """What was refused all the time."""
        return Target(self.target_type, self.target_id, self.target_label, self.vault_id)
