"""What the portal knows of the objects that machines store, beyond what lies in the regions."""

from django.db import models

from vaults.models.core import Region, Vault


class RemovedObject(models.Model):
    """An object that went to the region's trash, and must not be brought back.

    Its machine deleted it with leave (an index object), or an administrator moved it there (a snapshot).

    A row without `moved_at` is an intent: whoever moves the object notes it first, so that a process that dies in
    between leaves a trace. Once the machine has stored the object again the row has no meaning, and goes.
    """

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="+")
    machine_id = models.UUIDField()  # `agents` has the machines
    path = models.CharField(max_length=160, unique=True)  # where it was, in the region and in its pair
    removed_at = models.DateTimeField()
    moved_at = models.DateTimeField(null=True)
    audited = models.BooleanField(default=False)  # whether an audit entry names or counts it

    class Meta:
        indexes = [
            models.Index(fields=["machine_id", "removed_at"], name="removed_by_machine"),
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
