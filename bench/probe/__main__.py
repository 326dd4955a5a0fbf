"""`python -m bench.probe operations VAULT …`, or `python -m bench.probe sightings`, which reads lines."""

import json
import sys
import time
from datetime import datetime

from django.db import transaction

from portal.accounts.models import Subscription
from portal.notifications.models import Notification
from portal.notifications.publish import publish, withdraw
from vaults.models import Operation

KEY = "bench:sighting"


def operations(vaults: list[str]) -> None:
    """Print when each vault was decided on and Active, and what the steps of its creation took."""
    made = Operation.objects.filter(vault_id__in=vaults, kind=Operation.Kind.CREATE).select_related("vault__request")
    print(json.dumps({str(each.vault_id): _moments(each) for each in made}))


def _moments(operation: Operation) -> dict[str, object]:
    return {
        "decided": _seconds(operation.vault.request.decided_at),
        "active": _seconds(operation.vault.activated_at),
        "steps": operation.timings,
    }


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def sightings() -> None:
    """For each line read, publish it as the step of something that runs, and print when that was committed."""
    subscription = Subscription.objects.get(name="Default")
    for line in sys.stdin:
        with transaction.atomic():
            publish(
                KEY,
                state=Notification.State.RUNNING,
                title="Measuring",
                step=line.strip(),
                progress=50,
                subscription=subscription,
            )
        print(time.time(), flush=True)
    withdraw(KEY)


if __name__ == "__main__":
    sightings() if sys.argv[1] == "sightings" else operations(sys.argv[2:])
