"""The audit log: rows are added, never changed or deleted."""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from portal.audit.targets import Target
from portal.core.fields import KeyField


class AppendOnly(TypeError):
    """Somebody tried to change or delete what is only ever added to."""


class AuditEvent(models.Model):
    """One thing that happened: who did what to what, when, from where and by which way."""

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
    detail = models.JSONField(default=dict)
    # The serial of the credential or certificate that the detail names, empty for most; the database takes it out.
    serial = models.GeneratedField(
        expression=Coalesce(
            KeyTextTransform("credential", "detail"),
            KeyTextTransform("serial", "detail"),
            models.Value(""),
            output_field=models.TextField(),
        ),
        output_field=KeyField(),
        db_persist=True,
        editable=False,
    )

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


class RefusalCounter(models.Model):
    """The same refusal, again and again: the first is an entry at once, the others are counted here for a minute."""

    action = models.CharField(max_length=64)
    actor_label = models.CharField(max_length=200)
    address = models.CharField(max_length=45, blank=True)  # what counts as one: portal.core.networks
    # The default of the database is for a portal of the version before, which may write beside this one.
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
