"""What somebody asks for."""

from typing import ClassVar

from django.db import models

from portal.approvals.models import Approvable
from portal.approvals.states import RequestState, table
from portal.core.states import StateTable


class QuotaChange(Approvable):
    """Another quota for all."""

    STATES: ClassVar[StateTable] = table("quota-change", approved="It holds.")

    state = models.CharField(max_length=9, choices=RequestState.choices, default=RequestState.PENDING)
    gigabytes = models.PositiveIntegerField()
    applied = models.BooleanField(default=False)

    objects: ClassVar[models.Manager["QuotaChange"]] = models.Manager()
