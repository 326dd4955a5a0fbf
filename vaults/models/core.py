"""Regions, requests, vaults, the work on them, and their credentials."""

import uuid
from datetime import UTC, datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce, Lower
from django.urls import reverse

from portal.accounts.models import Subscription
from portal.accounts.visibility import OwnedQuerySet
from portal.approvals.models import Approvable
from portal.approvals.states import RequestState
from portal.core.digests import shortened
from portal.core.fields import KeyField
from portal.core.leases import Leased
from portal.core.states import StateTable
from vaults import states

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for "never" where times are ordered: before all others, on every database."""


class Redundancy(models.TextChoices):
    """How many regions hold what machines store."""

    GEO = "geo", "Geo-redundant"
    LOCAL = "local", "Locally redundant"


class Region(models.Model):
    """A place for storage. The regions file owns its remote, provider and pair; administrators its name and switch."""

    slug = models.SlugField(max_length=32, unique=True)
    name = models.CharField(max_length=80)
    enabled = models.BooleanField(default=True)
    provider = models.CharField(max_length=16, default="containers", editable=False)  # the kind of home for vaults
    # As last measured, in bytes; null where the storage cannot tell.
    free_bytes = models.BigIntegerField(null=True, editable=False)
    total_bytes = models.BigIntegerField(null=True, editable=False)
    # What each vault, and each machine, of the region may use; null for as much as there is.
    vault_quota_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    machine_quota_bytes = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        ordering = [Lower("name")]
        constraints = [models.UniqueConstraint(Lower("name"), name="region_name_unique_ci")]

    def __str__(self) -> str:
        return self.name


class VaultQuerySet(OwnedQuerySet["Vault"]):
    """Vaults; `visible_to()` says whose."""


class Vault(models.Model):
    """A container in a region, in which registered machines keep their backups.

    Columns from `machine_count` on are facts about machines, written by `agents` in its own transactions.
    """

    STATES: ClassVar[StateTable] = states.VAULT

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The indexes of the lists begin with these two; one of the key alone would be chosen, and each row be read.
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="vaults", db_index=False)
    name = models.CharField(max_length=50)
    region = models.ForeignKey(Region, models.PROTECT, related_name="vaults", db_index=False)
    redundancy = models.CharField(max_length=5, choices=Redundancy.choices)
    redundancy_confirmed_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=8, choices=states.VaultState.choices, default=states.VaultState.CREATING)
    state_reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    activated_at = models.DateTimeField(null=True)

    # Its retention policy (vaults/retention_policy/): for how long snapshots are kept; null for a rule that is off.
    keep_within_days = models.PositiveSmallIntegerField(default=30)
    keep_weekly_within_weeks = models.PositiveSmallIntegerField(null=True)
    keep_monthly_within_months = models.PositiveSmallIntegerField(null=True)
    keep_yearly_within_years = models.PositiveSmallIntegerField(null=True)
    minimum_retention_days = models.PositiveSmallIntegerField(default=14)  # younger objects are not deleted at all
    soft_delete_days = models.PositiveSmallIntegerField(default=14)  # for so long the trash keeps what was deleted

    # Within how many hours its people expect a whole machine back; null where they have not said.
    expected_restore_hours = models.PositiveSmallIntegerField(null=True)

    machine_count = models.PositiveIntegerField(default=0)
    redundancy_locked_at = models.DateTimeField(null=True)
    redundancy_locked_by = models.CharField(max_length=63, blank=True)  # the machine that registered first
    last_backup_at = models.DateTimeField(null=True)
    last_restore_check_at = models.DateTimeField(null=True)
    # As last measured, where the region has quotas.
    used_bytes = models.BigIntegerField(null=True)
    used_measured_at = models.DateTimeField(null=True)

    # What lists are ordered by: kept by the database, so that no writer can forget them.
    name_key = models.GeneratedField(
        expression=Lower("name"), output_field=KeyField(max_length=50), db_persist=True, editable=False
    )
    backup_key = models.GeneratedField(
        expression=Coalesce("last_backup_at", models.Value(NEVER)),
        output_field=models.DateTimeField(),
        db_persist=True,
        editable=False,
    )

    objects = VaultQuerySet.as_manager()

    class Meta:
        indexes = [
            # The last column lets the usual filter, "not removed", be answered by the index alone.
            models.Index(fields=["subscription", "name_key", "id", "state"], name="vault_subscription_name"),
            models.Index(fields=["name_key", "id", "state"], name="vault_name"),
            models.Index(fields=["state", "name_key", "id"], name="vault_state_name"),
            models.Index(fields=["region", "name_key", "id", "state"], name="vault_region_name"),
            models.Index(fields=["machine_count", "name_key", "id", "state"], name="vault_machines_name"),
            models.Index(fields=["backup_key", "id", "state"], name="vault_backup"),
            models.Index(fields=["state", "last_backup_at", "machine_count"]),  # for vaults that need attention
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Where its name leads: to Quick Start while no restore from it was proven, else to its Dashboard."""
        fresh = self.state == states.VaultState.ACTIVE and self.last_restore_check_at is None
        return reverse("agents:quick-start" if fresh else "vaults:vault", args=[self.pk])

    @property
    def redundancy_locked(self) -> bool:
        """Whether a machine has ever registered."""
        return self.redundancy_locked_at is not None


class VaultRequestQuerySet(OwnedQuerySet["VaultRequest"]):
    """Requests; `visible_to()` says whose."""


class VaultRequest(Approvable):
    """Somebody asks for a vault; approvers decide on exactly what `digest` stands for."""

    STATES: ClassVar[StateTable] = states.REQUEST

    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="requests", db_index=False)
    name = models.CharField(max_length=50)
    region = models.ForeignKey(Region, models.PROTECT, related_name="+")
    redundancy = models.CharField(max_length=5, choices=Redundancy.choices)
    state = models.CharField(max_length=9, choices=RequestState.choices, default=RequestState.PENDING)
    digest = models.CharField(max_length=64)
    vault = models.OneToOneField(Vault, models.PROTECT, null=True, related_name="request")
    name_key = models.GeneratedField(
        expression=Lower("name"), output_field=KeyField(max_length=50), db_persist=True, editable=False
    )

    objects = VaultRequestQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["state", "name_key", "id"], name="request_state_name"),
            models.Index(fields=["state", "-requested_at", "id"]),
            models.Index(fields=["subscription", "-requested_at", "id"]),
            models.Index(fields=["requested_by", "-requested_at", "id"]),
        ]

    def __str__(self) -> str:
        return self.name


class NameReservation(models.Model):
    """A vault name in use in a subscription: by an open request, a live vault, or one that can be brought back."""

    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="+")
    name_key = models.CharField(max_length=50)  # lower case
    request = models.OneToOneField(VaultRequest, models.CASCADE, related_name="reservation")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subscription", "name_key"], name="vault_name_unique_ci")]

    def __str__(self) -> str:
        return self.name_key


class Operation(Leased):
    """A visible piece of background work on a vault, done in saved steps under a lease."""

    STATES: ClassVar[StateTable] = states.OPERATION

    class Kind(models.TextChoices):
        CREATE = "create", "Creating vault"
        MAKE_COPY = "make-copy", "Copying to the paired region"
        END_COPY = "end-copy", "Ending the copy in the paired region"
        BRING_BACK = "bring-back", "Bringing back backups"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    vault = models.ForeignKey(Vault, models.PROTECT, related_name="operations")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    state = models.CharField(max_length=9, choices=states.OperationState.choices, default=states.OperationState.RUNNING)
    steps_done = models.PositiveSmallIntegerField(default=0)
    step = models.CharField(max_length=200, blank=True)
    timings = models.JSONField(default=dict)  # seconds by step
    subject = models.JSONField(default=dict)  # what it is about beside the vault
    memory = models.JSONField(default=dict)  # what the steps in each region, by slug, remember for the next ones
    waiting_since = models.DateTimeField(null=True)  # since when the step under way waits for something elsewhere
    reason = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["vault", "-started_at"])]
        constraints = [
            # One piece of work at a time on a vault: a second one has to wait for, or take over, the first.
            models.UniqueConstraint(fields=["vault"], condition=models.Q(state="running"), name="operation_one_running")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.vault_id}"


class PairedCopy(Leased):
    """The copy of a geo-redundant vault in the paired region: when it was last complete, and when it is due again."""

    vault = models.OneToOneField(Vault, models.CASCADE, related_name="copy")
    region = models.ForeignKey(Region, models.PROTECT, related_name="+")
    complete_as_of = models.DateTimeField(null=True)  # all that was stored by then is in the pair
    round_began_at = models.DateTimeField(null=True)  # of the round that is under way, over several tasks if need be
    round_done_to = models.CharField(max_length=36, blank=True)  # the last machine that this round is done with
    reported = models.JSONField(default=list)  # machines that have something new: a round begins with them
    objects_copied = models.PositiveBigIntegerField(default=0)
    trouble = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "paired copies"

    def __str__(self) -> str:
        return f"copy of {self.vault_id}"


class Scrub(Leased):
    """The slow walk over all that a region stores, comparing it with its names: how far it is, and what it found."""

    region = models.OneToOneField(Region, models.CASCADE, related_name="scrub")
    began_at = models.DateTimeField(null=True)  # of the walk under way, over many tasks
    finished_at = models.DateTimeField(null=True)  # of the last walk that came to its end
    done_to = models.CharField(max_length=160, blank=True)  # path of the last object that this walk is done with
    objects_compared = models.PositiveBigIntegerField(default=0)  # by this walk, or the last one
    bytes_compared = models.PositiveBigIntegerField(default=0)
    objects_set_aside = models.PositiveIntegerField(default=0)
    trouble = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"scrub of {self.region_id}"


class Credential(models.Model):
    """A vault credential: a certificate that may register machines for 48 hours. Its private key is never here."""

    class Purpose(models.TextChoices):
        REGISTER = "register", "Register new machines"
        REPLACE = "replace", "Replace one machine"

    class KeyOrigin(models.TextChoices):
        BROWSER = "browser", "made in the browser"
        SERVER = "server", "made by the portal, in memory"
        MACHINE = "machine", "made on the machine"  # which has redeemed a one-time code

    class End(models.TextChoices):
        REPLACED = "replaced", "Replaced"
        ENDED = "ended", "Ended"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    vault = models.ForeignKey(Vault, models.PROTECT, related_name="credentials")
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.REGISTER)
    machine_id = models.UUIDField(null=True)  # the machine that a replacement is for
    serial = models.CharField(max_length=40, unique=True)  # lower-case hexadecimal
    fingerprint = models.CharField(max_length=64, unique=True)  # SHA-256 of the certificate
    certificate = models.TextField()
    key_digest = models.CharField(max_length=64, unique=True, null=True)  # SHA-256 of the public key; null before 0005
    key_origin = models.CharField(max_length=7, choices=KeyOrigin.choices)
    machines_limit = models.PositiveSmallIntegerField(default=1)
    machines_used = models.PositiveSmallIntegerField(default=0)
    issued_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=8, choices=End.choices, blank=True)

    class Meta:
        ordering = ["-issued_at"]
        constraints = [
            models.UniqueConstraint(fields=["vault", "issued_at"], name="credential_issue_times_increase"),
            models.CheckConstraint(
                condition=models.Q(machines_used__lte=models.F("machines_limit")),
                name="credential_not_overused",
            ),
            models.UniqueConstraint(
                fields=["vault"],
                # Those that machines get for one-time codes stand each alone.
                condition=models.Q(ended_at__isnull=True, purpose="register") & ~models.Q(key_origin="machine"),
                name="credential_one_valid",
            ),
            models.UniqueConstraint(
                fields=["machine_id"],
                condition=models.Q(ended_at__isnull=True, purpose="replace"),
                name="credential_one_valid_for_machine",
            ),
            models.CheckConstraint(
                condition=models.Q(purpose="register", machine_id__isnull=True)
                | models.Q(purpose="replace", machine_id__isnull=False, machines_limit=1),
                name="credential_purpose_fits",
            ),
        ]

    def __str__(self) -> str:
        return f"credential {shortened(self.serial)}"

    @property
    def by_code(self) -> bool:
        """Whether a machine got it for a one-time code, instead of somebody downloading it."""
        return self.key_origin == self.KeyOrigin.MACHINE


class CredentialChallenge(models.Model):
    """What somebody signs to prove that they hold a key; deleted when it has been used, or has become too old."""

    text = models.CharField(max_length=64, unique=True)
    vault = models.ForeignKey(Vault, models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"challenge for {self.person_id}, until {self.expires_at}"
