"""Signs of life of the background parts, and the roots that the database belongs to."""

from django.db import models


class Heartbeat(models.Model):
    """When a background part was last seen to do its work: `worker` (the canary), `sweep`, `database`, or a region."""

    name = models.CharField(max_length=48, unique=True)
    at = models.DateTimeField()
    trouble = models.CharField(max_length=200, blank=True)  # a sentence, when it was seen not to work

    def __str__(self) -> str:
        return self.name


class KnownRoot(models.Model):
    """A root that this portal's keyring has: the database's memory of the data folder that it belongs to."""

    fingerprint = models.CharField(max_length=64)  # SHA-256 of the certificate
    generation = models.PositiveIntegerField(unique=True)  # of two hosts that begin at once, one is first
    since = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.fingerprint
