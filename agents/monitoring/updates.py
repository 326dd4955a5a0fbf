"""How far a release of the agent has come among all machines, in numbers: administrators see no vaults."""

from dataclasses import dataclass

from django.db.models import Count, Q

from agents.models import AgentRelease, Machine
from agents.states import ALLOWED_IN, UpdateState


@dataclass(frozen=True)
class Progress:
    """Of `machines` in all so many run the release, wait for it, or have failed with it; why, by code."""

    machines: int
    on_it: int
    waiting: int
    failed: int
    codes: list[tuple[str, int]]

    @property
    def percent(self) -> int:
        """Of machines that run it, rounded down."""
        return self.on_it * 100 // self.machines if self.machines else 0


def progress_of(release: AgentRelease) -> Progress:
    """As the machines told last."""
    machines = Machine.objects.filter(state__in=ALLOWED_IN)
    of_it = Q(update_version=release.version)
    numbers = machines.aggregate(
        machines=Count("pk"),
        on_it=Count("pk", filter=Q(agent_version=release.version)),
        waiting=Count("pk", filter=of_it & Q(update_state__in=[UpdateState.WAITING, UpdateState.TRYING])),
    )
    failed = machines.filter(of_it, update_state=UpdateState.FAILED).values_list("update_code")
    codes = list(failed.annotate(number=Count("pk")).order_by("-number", "update_code"))
    return Progress(**numbers, failed=sum(number for _, number in codes), codes=codes)
