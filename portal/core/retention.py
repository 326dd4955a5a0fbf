"""Retention: what is only of use for a while goes away, daily, a bounded number of rows at a time.

Each app says in its `retention.py` which of its rows may go, and adds that here. The audit log has none.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from portal.core.extensions import Extensions

log = logging.getLogger(__name__)
BATCH = 500  # rows of one transaction
MOST = 50_000  # rows of a kind in one go: the rest goes with the next
Rules = Mapping[str, QuerySet[Any]]
"""What may go, by the word for it in the log."""
all_rules: Extensions[Callable[[], Rules]] = Extensions()


def run() -> dict[str, int]:
    """Delete what may go; how many rows of each kind."""
    gone: dict[str, int] = {}
    for rules in all_rules:
        for what, rows in rules().items():
            gone[what] = _delete(rows)
    if any(gone.values()):
        log.info("Retention: %s.", ", ".join(f"{count} {what}" for what, count in gone.items() if count))
    return gone


def _delete(rows: QuerySet[Any]) -> int:
    count = 0
    while count < MOST:
        keys = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        with transaction.atomic():
            rows.model._default_manager.filter(pk__in=keys).delete()
        count += len(keys)
        if len(keys) < BATCH:
            break
    return count
