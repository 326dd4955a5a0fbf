"""One-time codes: what somebody types on a new machine instead of carrying a credential file to it."""

import uuid

from django.conf import settings
from django.db import models

from vaults.models.core import Credential, Vault


class OneTimeCode(models.Model):
    """A code that was shown to a person: it registers one new machine with the vault, for ten minutes.

    The code itself is nowhere: `digest` is its HMAC. `key_digest` is the key that it was redeemed for, and then for
    good; `credential` is what that key got.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    vault = models.ForeignKey(Vault, models.PROTECT, related_name="one_time_codes")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    shown_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    redeemed_at = models.DateTimeField(null=True)
    key_digest = models.CharField(max_length=64, blank=True)  # SHA-256 of the public key (SPKI)
    credential = models.OneToOneField(Credential, models.PROTECT, null=True, related_name="code")

    class Meta:
        indexes = [
            models.Index(fields=["vault", "person", "-shown_at"]),
            models.Index(fields=["shown_at"]),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(redeemed_at__isnull=True, key_digest="", credential__isnull=True)
                | models.Q(redeemed_at__isnull=False, credential__isnull=False) & ~models.Q(key_digest=""),
                name="code_redeemed_wholly",
            )
        ]

    def __str__(self) -> str:
        return f"one-time code {str(self.pk)[:8]}"


class CodeTry(models.Model):
    """A wrong code that somebody tried, by the vault that it was tried for and the network it came from."""

    vault_id = models.UUIDField()  # as it was sent: there may be none of that id
    network = models.CharField(max_length=45)
    at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [models.Index(fields=["network", "-at"]), models.Index(fields=["vault_id", "-at"])]

    def __str__(self) -> str:
        return f"a try from {self.network}"
