"""Signs of life of the background parts."""

from django.db import models


class Heartbeat(models.Model):
    """When a background part was last seen to do its work: `worker` (the canary), `sweep`."""

    name = models.CharField(max_length=32, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
