"""Authorises each storage request of a machine, for the edge.

What the edge does not pass on to the region's gateway, which is append-only, is done here: `remove_object`.

No by default; one indexed query; no memory of earlier answers, so whoever is revoked is out with the next request.
"""

import logging
import re
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from agents.models import Machine, MachineCertificate
from agents.protocol.entitlement import quota_reached
from agents.states import ALLOWED_IN
from agents.storage_access import restic_paths
from agents.storage_access.restic_paths import StorageRequest
from portal.core.actor import Actor, Via
from portal.core.admission import Busy
from portal.core.errors import Throttled
from vaults.models import MachineRepository, PairedCopy, Redundancy, Region, Vault
from vaults.regions.storage.base import ObjectMissing, StorageError
from vaults.states import VaultState

log = logging.getLogger(__name__)

RESERVE_BYTES = 5 * 10**9
RESERVE_PART = 10
"""A region keeps a tenth, and at least RESERVE_BYTES, free of backups: for locks, repairs, and people's other needs."""
RETAIN_PART = 20
"""During a retain, one part in so many more than the quota may be stored."""
LOCKS_BYTES = 10**9
"""With less than this free not even locks are taken, so that nobody fills the disk with them."""

_SERIAL = re.compile("[1-9][0-9]{0,48}", re.ASCII)
_FINGERPRINT = re.compile("[0-9a-f]{64}", re.ASCII)
_NOBODY = "<nil>"
"""What the edge gives as the serial when no certificate came."""

# Written out: putting the same together from the models takes far longer than asking it, at each request.
_QUESTION = f"""
    SELECT machine.state, vault.state, vault.redundancy, region.slug, region.free_bytes, region.total_bytes, pair.slug,
           vault.used_bytes, region.vault_quota_bytes, machine.used_bytes, region.machine_quota_bytes,
           repository.retain_ends_at > %s
      FROM {MachineCertificate._meta.db_table} certificate
      JOIN {Machine._meta.db_table} machine ON machine.id = certificate.machine_id
      JOIN {Vault._meta.db_table} vault ON vault.id = machine.vault_id
      JOIN {Region._meta.db_table} region ON region.id = vault.region_id
      LEFT JOIN {MachineRepository._meta.db_table} repository ON repository.machine_id = machine.id
      LEFT JOIN {PairedCopy._meta.db_table} copy ON copy.vault_id = vault.id
      LEFT JOIN {Region._meta.db_table} pair ON pair.id = copy.region_id
     WHERE certificate.serial = %s AND certificate.fingerprint = %s
       AND certificate.revoked_at IS NULL AND certificate.not_after > %s
       AND machine.id = %s AND vault.id = %s
"""  # noqa: S608 - only names of tables are put in


class _Facts(NamedTuple):
    """What the row of a certificate that still counts says about its machine, in the order of the question."""

    machine_state: str
    vault_state: str
    redundancy: str
    region: str
    free_bytes: int | None
    total_bytes: int | None
    pair: str | None
    vault_used: int | None
    vault_quota: int | None
    machine_used: int | None
    machine_quota: int | None
    retaining: bool | None


class EdgeAnswer(IntEnum):
    """What the edge is told, as the status that it is told with."""

    YES = 204
    NO = 403
    FULL = 507
    DONE = 200
    MISSING = 404
    LATER = 503


class Question(NamedTuple):
    """A machine's request as the edge tells it.

    `serial` is decimal, `fingerprint` the SHA-256 in hexadecimal, both as the edge found them on the connection; `uri`
    is raw, as the client sent it.
    """

    method: str
    uri: str
    serial: str
    fingerprint: str


def decide(question: Question, *, at: datetime) -> EdgeAnswer:
    """Whether the holder of the certificate may make the request; raises what the database raises."""
    serial, fingerprint = question.serial, question.fingerprint
    if serial == _NOBODY or not _SERIAL.fullmatch(serial) or not _FINGERPRINT.fullmatch(fingerprint):
        return EdgeAnswer.NO
    asked = restic_paths.parse(question.method, question.uri)
    if asked is None:
        return EdgeAnswer.NO
    facts = _facts(asked, format(int(serial), "x"), fingerprint, at)
    return EdgeAnswer.NO if facts is None else _judge(asked, facts)


def remove_object(question: Question, *, address: str, at: datetime) -> EdgeAnswer:
    """Do what the request asks, a deletion, if its holder may; raises TooYoung, and what the database raises.

    What cannot be done now leaves everything in its place, and is answered with LATER.
    """
    answer, asked = decide(question, at=at), restic_paths.parse(question.method, question.uri)
    if answer != EdgeAnswer.YES or asked is None or asked.removes is None:
        return answer if answer != EdgeAnswer.YES else EdgeAnswer.NO
    from vaults.trash import removals  # the gate, which never does this, need not load Celery and httpx for it

    machine = Machine.objects.select_related("vault__region", "vault__subscription").get(pk=asked.machine)
    actor = Actor(label=f"machine {machine}", via=Via.AGENT, address=address)
    try:
        removals.remove(machine.vault, machine.pk, *asked.removes, actor=actor)
    except ObjectMissing:
        return EdgeAnswer.MISSING
    except (StorageError, Throttled, Busy) as error:
        log.warning("Machine %s cannot remove an object just now: %s", machine.pk, error)
        return EdgeAnswer.LATER
    return EdgeAnswer.DONE


def may_store_key(question: Question, *, at: datetime) -> EdgeAnswer:
    """Whether the holder may store the key that the request is about; raises what the database raises."""
    answer, asked = decide(question, at=at), restic_paths.parse(question.method, question.uri)
    if answer != EdgeAnswer.YES or asked is None or not asked.adds_key:
        return answer if answer != EdgeAnswer.YES else EdgeAnswer.NO
    from vaults.trash import repository_keys  # see above

    machine = Machine.objects.select_related("vault__region").get(pk=asked.machine)
    try:
        reserved = repository_keys.reserve(machine.vault, machine.pk, asked.adds_key)
    except StorageError as error:
        log.warning("Machine %s cannot store a key just now: %s", machine.pk, error)
        return EdgeAnswer.LATER
    return EdgeAnswer.YES if reserved else EdgeAnswer.NO


def _facts(asked: StorageRequest, serial: str, fingerprint: str, at: datetime) -> _Facts | None:
    """The facts if the certificate counts at that moment and the folder is that of its machine."""
    moment = connection.ops.adapt_datetimefield_value(at)
    folder = (Machine._meta.pk.get_db_prep_value(UUID(text), connection) for text in (asked.machine, asked.vault))
    with connection.cursor() as cursor:
        cursor.execute(_QUESTION, [moment, serial, fingerprint, moment, *folder])
        row = cursor.fetchone()
    return None if row is None else _Facts(*row)


def _judge(asked: StorageRequest, facts: _Facts) -> EdgeAnswer:
    if facts.machine_state not in ALLOWED_IN or facts.vault_state != VaultState.ACTIVE:
        return EdgeAnswer.NO
    if asked.region == facts.region:
        no_room = (asked.stores and _full(facts, asked)) or (asked.locks and _no_room_for_locks(facts))
        return EdgeAnswer.FULL if no_room else EdgeAnswer.YES
    if facts.redundancy == Redundancy.GEO and asked.reads and asked.region == facts.pair:
        return EdgeAnswer.YES
    return EdgeAnswer.NO


def _full(facts: _Facts, asked: StorageRequest) -> bool:
    """Whether nothing new may be stored: the region is at its reserve, or the vault or machine at its quota.

    A retain that was announced has to write before it can free anything: index objects, and packs up to some part more
    than the quota.
    """
    if _at_reserve(facts):
        return True
    more = RETAIN_PART if facts.retaining else 0
    vault_full = quota_reached(facts.vault_used, facts.vault_quota, more=more)
    full = vault_full or quota_reached(facts.machine_used, facts.machine_quota, more=more)
    return full and not (facts.retaining and asked.adds_index)


def _at_reserve(facts: _Facts) -> bool:
    if facts.free_bytes is None or facts.total_bytes is None:
        return False  # not every storage can tell
    return facts.free_bytes < max(RESERVE_BYTES, facts.total_bytes // RESERVE_PART)


def _no_room_for_locks(facts: _Facts) -> bool:
    return facts.free_bytes is not None and facts.free_bytes < LOCKS_BYTES
