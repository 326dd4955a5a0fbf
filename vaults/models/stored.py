"""What the portal knows of the objects that machines store, beyond what lies in the regions."""

from django.db import models

from portal.core.leases import Leased
from vaults.models.core import Region, Vault


class MachineRepository(Leased):
    """A machine's repository as the portal knows it from its own looks; leased by whoever purges its trash."""

    machine_id = models.UUIDField(primary_key=True)  # `agents` has the machines
    vault = models.ForeignKey(Vault, models.CASCADE, related_name="repositories")
    look_due_at = models.DateTimeField(null=True, db_index=True)  # null: no look is wanted before its time
    looked_at = models.DateTimeField(null=True)  # what was stored by then has a SeenObject
    live_bytes = models.BigIntegerField(null=True)  # in the vault's region, the trash apart
    trash_bytes = models.BigIntegerField(null=True)
    whole_as_of = models.DateTimeField(null=True)  # a check of the machine that missed nothing began then
    deleted_at = models.DateTimeField(null=True)  # snapshots or packs were last deleted then
    # Until people decide, nothing of its trash is purged.
    held_at = models.DateTimeField(null=True)
    held_reason = models.CharField(max_length=300, blank=True)
    # The announced retain that is under way, or was the last one: what the machine may delete without being held.
    retain_began_at = models.DateTimeField(null=True)
    retain_ends_at = models.DateTimeField(null=True)
    retain_snapshots = models.JSONField(default=list)
    retain_removed_bytes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"repository of {self.machine_id}"


class SeenObject(models.Model):
    """When the portal first saw an object of a machine's repository: by its own clock, whatever the object says.

    The row stays while the object lies in the trash, and goes when it is purged. Locks have none.
    """

    vault = models.ForeignKey(Vault, models.CASCADE, related_name="+", db_index=False)
    machine_id = models.UUIDField()
    kind = models.CharField(max_length=9)  # keys, data, index or snapshots
    name = models.CharField(max_length=64)  # its SHA-256
    size = models.BigIntegerField()  # bytes
    first_seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["machine_id", "kind", "name"], name="object_first_seen_once")]
        indexes = [
            models.Index(
                fields=["machine_id", "first_seen_at"],
                condition=models.Q(kind="snapshots"),
                name="snapshots_first_seen",
            )
        ]

    def __str__(self) -> str:
        return f"{self.machine_id}/{self.kind}/{self.name}"


class RemovedObject(models.Model):
    """An object that went to the region's trash, and must not be brought back but by people.

    Its machine deleted it with leave, or an administrator or a return to an earlier time moved it there.

    A row without `moved_at` is an intent: whoever moves the object notes it first, so that a process that dies in
    between leaves a trace. One that is `live_again` was stored anew, or brought back: the row is then about what lies
    in the trash alone, and goes with it.
    """

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="+")
    machine_id = models.UUIDField()  # `agents` has the machines
    path = models.CharField(max_length=160, unique=True)  # where it was, in the region and in its pair
    removed_at = models.DateTimeField()
    moved_at = models.DateTimeField(null=True)
    audited = models.BooleanField(default=False)  # whether an audit entry names or counts it
    live_again = models.BooleanField(default=False)
    purging_at = models.DateTimeField(null=True)  # from then on it is being deleted for good

    class Meta:
        indexes = [
            models.Index(fields=["machine_id", "removed_at"], name="removed_by_machine"),
            models.Index(fields=["removed_at"], name="removed_when"),
            models.Index(fields=["removed_at"], condition=models.Q(audited=False), name="removed_not_audited"),
        ]

    def __str__(self) -> str:
        return self.path


class RemovalCount(models.Model):
    """How many objects a machine has removed on one day (UTC), the same one each time that it does."""

    machine_id = models.UUIDField(primary_key=True)
    day = models.DateField()
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.day}: {self.count}"


class LostObject(models.Model):
    """An object of a machine's repository that was set aside or is missing, and that no region has whole.

    The row goes when the object is there again, or when a check of the machine misses nothing any more.
    """

    vault = models.ForeignKey(Vault, models.CASCADE, related_name="+")
    machine_id = models.UUIDField(db_index=True)
    region = models.ForeignKey(Region, models.CASCADE, related_name="+")
    path = models.CharField(max_length=200)  # <vault>/<machine>/<kind>/<name>, as in every region
    found_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["region", "path"], name="lost_object_once")]

    def __str__(self) -> str:
        return self.path


class SuspectObject(models.Model):
    """An object that its machine has found damaged in a region: the next copy round compares it in both.

    The row is kept for a while after that, so that a machine cannot have the same object compared again and again.
    """

    vault = models.ForeignKey(Vault, models.CASCADE, related_name="+")
    machine_id = models.UUIDField()
    path = models.CharField(max_length=160, unique=True)  # <vault>/<machine>/<kind>/<name>
    reported_at = models.DateTimeField(db_index=True)
    compared_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["machine_id", "compared_at"], name="suspects_of_machine")]

    def __str__(self) -> str:
        return self.path


class StoredDay(models.Model):
    """How much a vault had stored, as last measured on a day (UTC)."""

    vault = models.ForeignKey(Vault, models.CASCADE, related_name="stored_days")
    day = models.DateField()
    size = models.BigIntegerField()  # bytes

    class Meta:
        constraints = [models.UniqueConstraint(fields=["vault", "day"], name="stored_once_a_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.size}"


class LockWalk(Leased):
    """The daily walk over the versions in a region with object lock, which extends their locks: how far it is."""

    region = models.OneToOneField(Region, models.CASCADE, related_name="lock_walk")
    began_at = models.DateTimeField(null=True)  # of the walk under way, over many tasks
    finished_at = models.DateTimeField(null=True)  # of the last walk that came to its end
    # Locks of which objects: those whose turn came up to that day, counted from 1970. Null: none yet.
    extended_to_day = models.PositiveIntegerField(null=True)
    done_to = models.CharField(max_length=300, blank=True)  # where the store's next page begins
    done_to_version = models.CharField(max_length=1024, blank=True)
    # By this walk, or the last one:
    versions_seen = models.PositiveBigIntegerField(default=0)
    locks_extended = models.PositiveBigIntegerField(default=0)
    versions_erased = models.PositiveBigIntegerField(default=0)
    bytes_erased = models.PositiveBigIntegerField(default=0)
    bytes_waiting = models.PositiveBigIntegerField(default=0)  # needed by nobody; their locks have not ended yet
    hidden = models.JSONField(default=dict)  # by vault: objects that were deleted or replaced in the store itself
    hidden_before = models.JSONField(default=dict)  # as the walk before this one had found
    trouble = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"lock walk of {self.region_id}"
