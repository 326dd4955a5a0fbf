"""May this certificate do this to storage, now? Asked by the edge for each request of a machine.

No by default; one indexed query; no memory of earlier answers, so whoever is revoked is out with the next request.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from uuid import UUID

from agents import storage_paths
from agents.models import MachineCertificate
from agents.states import ALLOWED_IN
from agents.storage_paths import StorageRequest
from vaults.models import Redundancy
from vaults.states import VaultState

RESERVE_BYTES = 5 * 10**9
RESERVE_PART = 10
"""A region keeps a tenth, and at least RESERVE_BYTES, free of backups: for locks, repairs, and people's other needs."""

_SERIAL = re.compile("[1-9][0-9]{0,48}", re.ASCII)
_FINGERPRINT = re.compile("[0-9a-f]{64}", re.ASCII)
_NOBODY = "<nil>"
"""What the edge gives as the serial when no certificate came."""

_COLUMNS = (
    "not_after",
    "machine__state",
    "machine__vault__state",
    "machine__vault__redundancy",
    "machine__vault__region__slug",
    "machine__vault__region__free_bytes",
    "machine__vault__region__total_bytes",
    "machine__vault__copy__region__slug",
)


class Answer(IntEnum):
    """What the edge is told, as the status that it is told with."""

    YES = 204
    NO = 403
    FULL = 507


def decide(*, method: str, uri: str, serial: str, fingerprint: str, at: datetime) -> Answer:
    """Whether the holder of the certificate may make the request; raises what the database raises.

    `serial` is decimal, `fingerprint` the SHA-256 in hexadecimal, both as the edge found them on the connection; `uri`
    is raw, as the client sent it.
    """
    if serial == _NOBODY or not _SERIAL.fullmatch(serial) or not _FINGERPRINT.fullmatch(fingerprint):
        return Answer.NO
    asked = storage_paths.parse(method, uri)
    if asked is None:
        return Answer.NO
    row = (
        MachineCertificate.objects.filter(
            serial=format(int(serial), "x"),
            fingerprint=fingerprint,
            revoked_at__isnull=True,
            machine_id=UUID(asked.machine),
            machine__vault_id=UUID(asked.vault),
        )
        .values(*_COLUMNS)
        .first()
    )
    return Answer.NO if row is None else _judge(asked, row, at)


def _judge(asked: StorageRequest, row: Mapping[str, object], at: datetime) -> Answer:
    ends = row["not_after"]
    if not isinstance(ends, datetime) or at >= ends:
        return Answer.NO
    if row["machine__state"] not in ALLOWED_IN or row["machine__vault__state"] != VaultState.ACTIVE:
        return Answer.NO
    if asked.region == row["machine__vault__region__slug"]:
        return Answer.FULL if asked.stores and _full(row) else Answer.YES
    paired = row["machine__vault__redundancy"] == Redundancy.GEO
    if paired and asked.reads and asked.region == row["machine__vault__copy__region__slug"]:
        return Answer.YES
    return Answer.NO


def _full(row: Mapping[str, object]) -> bool:
    free, total = row["machine__vault__region__free_bytes"], row["machine__vault__region__total_bytes"]
    if not isinstance(free, int) or not isinstance(total, int):
        return False  # not every storage can tell
    return free < max(RESERVE_BYTES, total // RESERVE_PART)
