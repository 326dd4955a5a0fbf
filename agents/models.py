"""Machines, their certificates, requests to replace one, what they report, and the agent packages."""

import uuid
from datetime import timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from agents import states
from portal.accounts.models import Membership, Subscription, User
from portal.accounts.visibility import OwnedQuerySet
from portal.approvals.models import Approvable
from portal.core.digests import shortened
from portal.core.states import StateDisplay, StateTable
from vaults.models import Credential, OneTimeCode, Vault


class MachineQuerySet(OwnedQuerySet["Machine"]):
    """Machines; `visible_to()` says whose."""

    members = "vault__subscription__memberships__user"


class Machine(models.Model):
    """A registered machine; its repository is the folder `<vault>/<machine>` of the region."""

    STATES: ClassVar[StateTable] = states.MACHINE

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    vault = models.ForeignKey(Vault, models.PROTECT, related_name="machines")
    name = models.CharField(max_length=63)
    name_key = models.CharField(max_length=63)  # lower case
    state = models.CharField(max_length=12, choices=states.MachineState.choices, default=states.MachineState.REGISTERED)
    state_reason = models.CharField(max_length=500, blank=True)
    credential = models.ForeignKey(Credential, models.PROTECT, related_name="machines")
    platform = models.JSONField(default=dict)
    agent_version = models.CharField(max_length=32, blank=True)
    address = models.CharField(max_length=45, blank=True)
    registered_at = models.DateTimeField()
    replaced_at = models.DateTimeField(null=True)  # when another computer took its place, the last time
    updated_at = models.DateTimeField(auto_now=True)
    last_seen_at = models.DateTimeField(null=True)
    last_backup_at = models.DateTimeField(null=True)
    last_restore_check_at = models.DateTimeField(null=True)
    pulses_since = models.DateTimeField(null=True)  # the minute in which signs of life are counted
    pulses = models.PositiveSmallIntegerField(default=0)
    used_bytes = models.BigIntegerField(null=True)  # in the vault's region, as last measured
    # Of what it reported; what the portal itself knows of its repository is in vaults.integrity.losses.
    concern = models.CharField(max_length=20, choices=states.Concern.choices, blank=True)
    backup_every_hours = models.PositiveSmallIntegerField(null=True)  # by the schedule it told of; None without one
    # From this moment on it is late: set when a backup arrives, and when the schedule changes. None without a schedule.
    late_from = models.DateTimeField(null=True)
    late_told_at = models.DateTimeField(null=True)  # when people were told, until a backup arrives
    proof = models.JSONField(default=dict)  # `proven`, `compared`, `total` of the newest restore check that proves
    # From these moments on its newest proof has faded, and is too old: set when one arrives, and when the schedule
    # changes.
    fades_from = models.DateTimeField(null=True)
    unproven_from = models.DateTimeField(null=True)
    unproven_told_at = models.DateTimeField(null=True)  # when people were told, until a proof arrives
    # How long it would take to restore all of its newest snapshot, and how much that is, by the newest restore check.
    restore_seconds = models.PositiveBigIntegerField(null=True)
    restore_bytes = models.PositiveBigIntegerField(null=True)
    restore_measured_at = models.DateTimeField(null=True)
    restore_slow = models.BooleanField(default=False)  # whether that is longer than its vault's people expect
    slow_told_at = models.DateTimeField(null=True)  # when people were told, until it is not slow any more
    # Of updates of its agent, as it told last: where it stands, with which version, from which, and why it failed.
    update_state = models.CharField(max_length=8, choices=states.UpdateState.choices, blank=True)
    update_version = models.CharField(max_length=32, blank=True)
    update_code = models.CharField(max_length=40, blank=True)
    updated_from = models.CharField(max_length=32, blank=True)

    objects = MachineQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["vault", "name_key", "id"]),
            models.Index(fields=["vault", "state", "-last_restore_check_at"]),  # for the newest proof of a vault
            models.Index(fields=["late_from"], condition=models.Q(late_told_at=None), name="machine_late_untold"),
            models.Index(
                fields=["unproven_from"], condition=models.Q(unproven_told_at=None), name="machine_unproven_untold"
            ),
            models.Index(
                fields=["unproven_told_at"],
                condition=models.Q(unproven_told_at__isnull=False),
                name="machine_unproven_told",
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(restore_slow=True, slow_told_at=None)
                | models.Q(restore_slow=False, slow_told_at__isnull=False),
                name="machine_slow_untold",
            ),
        ]
        constraints = [
            # A machine that has left makes room for another of its name.
            models.UniqueConstraint(
                fields=["vault", "name_key"],
                condition=~models.Q(state="Unregistered"),
                name="machine_name_unique_ci",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def attention(self) -> StateDisplay | None:
        """What is shown beside the state of a machine `with_damage()` that somebody must look at; None for others, and
        for those that have left or are locked out."""
        if self.state in states.OUT:
            return None
        damaged: bool = self.damaged  # type: ignore[attr-defined]  # added by concerns.with_damage()
        late = self.lateness
        if late == states.NO_BACKUPS and not damaged:
            return late
        concern = states.Concern.DAMAGED if damaged else self.concern
        return states.CONCERNS[concern] if concern else late or self.unproven or self.slow

    @property
    def faded(self) -> bool:
        """Whether it is Ready, by a proof that is older than its schedule lets one expect."""
        proven, every = self.last_restore_check_at, self.backup_every_hours
        is_ready = self.state == states.MachineState.READY
        return is_ready and (proven is None or timezone.now() >= states.fades_from(proven, every))

    @property
    def unproven(self) -> StateDisplay | None:
        """That its newest proof is too old, as of now."""
        if self.unproven_from is None or self.state != states.MachineState.READY:
            return None
        return states.UNPROVEN if timezone.now() >= self.unproven_from else None

    @property
    def slow(self) -> StateDisplay | None:
        """That restoring it would take longer than expected."""
        return states.SLOW if self.restore_slow and self.state in states.ALLOWED_IN else None

    @property
    def update(self) -> StateDisplay | None:
        """What there is to know of the update of its agent; None where nothing is, or it has left."""
        return None if self.state in states.OUT else states.UPDATES.get(self.update_state)

    @property
    def lateness(self) -> StateDisplay | None:
        """How late the backup is that its schedule promises, as of now: not at all, amber, or red."""
        now = timezone.now()
        if self.late_from is None or self.backup_every_hours is None or self.state not in states.ALLOWED_IN:
            return None
        if now < self.late_from:
            return None
        return states.NO_BACKUPS if now >= states.red_from(self.late_from, self.backup_every_hours) else states.LATE


class MachineCertificate(models.Model):
    """A certificate that a machine holds or held. What the edge decides rests on this row, not on the certificate."""

    machine = models.ForeignKey(Machine, models.CASCADE, related_name="certificates")
    serial = models.CharField(max_length=40, unique=True)  # lower-case hexadecimal
    fingerprint = models.CharField(max_length=64, unique=True)  # SHA-256 of the certificate
    key_digest = models.CharField(max_length=64)  # SHA-256 of the public key (SPKI)
    certificate = models.TextField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)  # a newer one was issued; still good for data
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["not_after"])]
        constraints = [models.UniqueConstraint(fields=["machine", "key_digest"], name="machine_key_once")]

    def __str__(self) -> str:
        return f"certificate {shortened(self.serial)}"


class ReplacementQuerySet(QuerySet["ReplacementRequest"]):
    """Requests to replace a machine."""

    def of_member(self, user_id: int) -> Self:
        """Those about machines of the person's own subscriptions.

        Asked of each request: joined instead, SQLite would begin with the person's machines, of which there are more.
        """
        theirs = Membership.objects.filter(user=user_id, subscription=OuterRef("machine__vault__subscription"))
        return self.filter(Exists(theirs))

    def visible_to(self, person: User) -> Self:
        """Those about machines of the vaults that the person may see."""
        return self if person.sees_all else self.of_member(person.pk)


class ReplacementRequest(Approvable):
    """Somebody asks that another computer may take the place of a machine, and so reach its backups.

    A second person agrees to it; then the one who asked may download a credential for that machine alone.
    """

    STATES: ClassVar[StateTable] = states.REPLACEMENT

    machine = models.ForeignKey(Machine, models.PROTECT, related_name="replacements")
    state = models.CharField(
        max_length=9, choices=states.ReplacementState.choices, default=states.ReplacementState.PENDING
    )
    credential = models.ForeignKey(Credential, models.PROTECT, null=True, related_name="+")  # the last one issued
    ended_at = models.DateTimeField(null=True)

    objects = ReplacementQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["machine", "-requested_at", "id"])]
        constraints = [
            models.UniqueConstraint(
                fields=["machine"],
                condition=models.Q(state__in=["pending", "approved"]),
                name="replacement_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"replacement of {self.machine}"

    @property
    def vault_id(self) -> uuid.UUID:
        """The vault that the audit log files it under."""
        return self.machine.vault_id


class SpentToken(models.Model):
    """A `jti` that was used; written in the transaction that acts, so that no message acts twice."""

    jti = models.CharField(max_length=36, unique=True)
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.jti


class Run(models.Model):
    """What a machine reports to have done."""

    class Kind(models.TextChoices):
        BACKUP = "backup", "Backup"
        RESTORE_CHECK = "restore_check", "Restore check"
        RESTORE = "restore", "Restore"
        CHECK = "check", "Check"
        REPAIR = "repair", "Repair"
        RETAIN = "retain", "Retain"

    class Outcome(models.TextChoices):
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True)  # made by the agent, so that a repeated report changes nothing
    machine = models.ForeignKey(Machine, models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=13, choices=Kind.choices)
    outcome = models.CharField(max_length=9, choices=Outcome.choices)
    code = models.CharField(max_length=40, blank=True)  # the agent's, e.g. `done_with_losses`; older agents give none
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    reported_at = models.DateTimeField(auto_now_add=True)
    snapshot = models.CharField(max_length=64, blank=True)
    message = models.CharField(max_length=500, blank=True)
    figures = models.JSONField(default=dict)  # those of agents.protocol.messages.FIGURES that were given

    class Meta:
        indexes = [
            models.Index(fields=["machine", "kind", "-finished_at"]),  # for the newest of each kind
            models.Index(fields=["machine", "-finished_at"]),
            models.Index(fields=["machine", "-reported_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome}"

    @property
    def failed(self) -> bool:
        """Whether it did not do what it is for; a file that differs is a failure, whatever the outcome says."""
        return self.outcome == self.Outcome.FAILED or bool(self.figures.get("mismatched"))

    @property
    def proves(self) -> bool:
        """Whether a restored file was proven to be as it was backed up."""
        return not self.failed and bool(self.figures.get("compared") or self.figures.get("proven"))

    @property
    def look(self) -> StateDisplay:
        """How its end is shown."""
        if self.failed:
            return states.FAILED_RUN_ENDS.get(self.code, states.RUN_FAILED)
        if self.kind == self.Kind.RESTORE_CHECK and not self.proves:
            return states.NOTHING_PROVEN
        return states.RUN_ENDS.get(self.code, states.RUN_SUCCEEDED)

    @property
    def description(self) -> str:
        """What people read about it."""
        number = self.figures.get("mismatched")
        files = "file differs" if number == 1 else "files differ"
        differ = f"{number} {files} from what was backed up." if number else ""
        return " ".join(part for part in (differ, self.message) if part) or "The agent gave no reason."


class Receipt(models.Model):
    """What a machine has signed about one of its runs; it goes when the run goes."""

    class Signer(models.TextChoices):
        NEWEST = "newest", "by the certificate that it had then"
        EARLIER = "earlier", "by an earlier certificate, which was renewed since"
        REVOKED = "revoked", "by a certificate that was revoked"

    run = models.OneToOneField(Run, models.CASCADE, related_name="receipt")
    compact = models.TextField()  # the compact JWS, as it came
    signer = models.CharField(max_length=8, choices=Signer.choices)  # as of when it was stored
    stored_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"receipt of {self.run_id}"


class RefusedRegistration(models.Model):
    """A machine that tried to register with a credential or one-time code of the vault and was refused, for its people
    to see; with neither where the code is none."""

    vault = models.ForeignKey(Vault, models.CASCADE, related_name="refused_registrations")
    credential = models.ForeignKey(Credential, models.CASCADE, null=True, related_name="refused_registrations")
    one_time_code = models.ForeignKey(OneTimeCode, models.CASCADE, null=True, related_name="refused_registrations")
    name = models.CharField(max_length=63, blank=True)
    address = models.CharField(max_length=45, blank=True)
    code = models.CharField(max_length=32)
    message = models.CharField(max_length=500)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["vault", "-at"])]

    def __str__(self) -> str:
        return f"{self.name} refused: {self.code}"


class Onboarding(models.Model):
    """A machine's way from a code that was shown, or a file that was issued, to a restore that was proven; and what its
    setup tells meanwhile, each message in the place of the one before."""

    machine = models.OneToOneField(Machine, models.CASCADE, related_name="onboarding")
    began_at = models.DateTimeField()
    by_code = models.BooleanField()
    registered_at = models.DateTimeField()
    backed_up_at = models.DateTimeField(null=True)
    proven_at = models.DateTimeField(null=True)
    # Of the newest message: which start of setup it is from, by the machine's clock, and its number in there.
    setup_began_at = models.DateTimeField(null=True)
    number = models.PositiveIntegerField(default=0)
    last_sign_at = models.DateTimeField(null=True)
    step = models.CharField(max_length=12, choices=states.SetupStep.choices, blank=True)
    step_state = models.CharField(max_length=8, choices=states.StepState.choices, blank=True)
    step_since = models.DateTimeField(null=True)  # when we first heard that it is at this step
    code = models.CharField(max_length=40, blank=True)  # of a step that failed: the agent's own
    figures = models.JSONField(default=dict)  # of the step: names of agents.protocol.messages.STEP_FIGURES
    checks = models.JSONField(default=dict)  # what was looked at before registration: step -> figures
    messages_since = models.DateTimeField(null=True)  # the minute in which messages are counted
    messages = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["by_code", "-began_at"])]

    def __str__(self) -> str:
        return f"onboarding of {self.machine_id}"


class AgentPackage(models.Model):
    """A build of the agent, or what administrators have added, for people to download; the file lies in the packages
    folder under `file_name`."""

    platform = models.CharField(max_length=32)  # linux, windows, macos
    architecture = models.CharField(max_length=16)
    version = models.CharField(max_length=32)
    file_name = models.CharField(max_length=120, unique=True)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    published_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    kept_back = models.BooleanField(default=False)  # somebody withdrew it, so it does not come back by itself
    sources = models.CharField(max_length=64, blank=True)  # fingerprint of what our own build was made from
    kind = models.CharField(max_length=8, default="pex")  # a key of agents.packages.kinds.KINDS
    title = models.CharField(max_length=80, blank=True)  # what an administrator's own file is called
    notes = models.CharField(max_length=500, blank=True)  # what an administrator says of it
    has_bill = models.BooleanField(default=False)  # whether `<file>.cdx.json` lies beside it

    def __str__(self) -> str:
        return self.file_name


class AgentRelease(models.Model):
    """A version of the agent that machines update themselves to. What they go by is the manifest, signed elsewhere; the
    files that it names lie in the packages folder."""

    STATES: ClassVar[StateTable] = states.RELEASE

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.CharField(max_length=32, unique=True)
    serial = models.PositiveBigIntegerField(unique=True)  # of the newest manifest of this version
    expires_at = models.DateTimeField()
    manifest = models.JSONField()  # as it was signed, with its signature
    files = models.JSONField()  # of the manifest: platform, architecture, kind, name, size, sha256 of each
    state = models.CharField(max_length=9, choices=states.ReleaseState.choices, default=states.ReleaseState.OFFERED)
    share = models.PositiveSmallIntegerField(default=0)  # percent of all machines that may take it
    subscriptions = models.ManyToManyField(Subscription, related_name="+")  # all of whose machines may
    published_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(share__lte=100), name="release_share_percent")]

    def __str__(self) -> str:
        return self.version

    @property
    def expired(self) -> bool:
        """Whether machines refuse its manifest by now."""
        return self.expires_at <= timezone.now()

    @property
    def ends_soon(self) -> bool:
        """Whether it is time to sign it again."""
        return self.expires_at - timezone.now() < timedelta(days=14)
