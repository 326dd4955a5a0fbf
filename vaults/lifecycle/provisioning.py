"""Provisioning: makes a vault's storage, and that of its copy, proves that it works, and opens the vault.

One attempt is `run`. It goes on where the last one stopped; each step may be done twice without harm. A probe object
takes the way of real data: in through storage, out through storage and through the gateway that machines use.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from portal.core import leases
from vaults import copy_schedule, operations
from vaults.lifecycle import creation
from vaults.models import Operation, Redundancy, Region, Vault
from vaults.operations import Step
from vaults.regions.storage import gateway
from vaults.regions.storage.base import StorageError, StorageRefused, StorageUnavailable
from vaults.regions.storage.rclone import region_storage

STOPPED = "The operation was interrupted {attempts} times."
AGAIN = "Press Retry once the cause is resolved, or tell an administrator."


@dataclass(frozen=True)
class Plan:
    """What an operation does, and how it ends: well, with the number of its steps, or badly, with a reason."""

    steps: list[Step]
    succeed: Callable[[Operation, int], None]
    fail: Callable[[Operation, str], None]


def run(operation_id: UUID) -> None:
    """Make one attempt: afterwards the operation has ended, or waits for another attempt, or is somebody else's."""
    leases.run(operations.claim(operation_id), _attempt, trouble=StorageError, on_trouble=_end_or_postpone)


def step_labels(operation: Operation) -> list[str]:
    """What the operation does, step by step, as people read it."""
    return [step.label for step in _plan(operation).steps]


def _attempt(operation: Operation) -> None:
    plan = _plan(operation)
    if operation.attempts > operations.MAX_ATTEMPTS:  # the last one neither ended it nor gave it back
        plan.fail(operation, f"{STOPPED.format(attempts=operations.MAX_ATTEMPTS)} {AGAIN}")
        return
    operations.work_through(operation, plan.steps)
    plan.succeed(operation, len(plan.steps))


def _end_or_postpone(operation: Operation, trouble: StorageError) -> None:
    if isinstance(trouble, StorageRefused) or operations.exhausted(operation):
        _plan(operation).fail(operation, f"{trouble} {AGAIN}")
    else:
        operations.postpone(operation, str(trouble))


def _plan(operation: Operation) -> Plan:
    vault = operation.vault
    if operation.kind == Operation.Kind.END_COPY:
        return Plan(_steps_to_end(vault), _copy_ended, _fail)
    pair = vault.copy.region if vault.redundancy == Redundancy.GEO else None
    if operation.kind == Operation.Kind.MAKE_COPY:
        return Plan(_steps_to_make([pair] if pair else [], operation), _copy_made, _fail)
    regions = [vault.region, pair] if pair else [vault.region]
    return Plan(_steps_to_make(regions, operation), creation.activate, creation.fail)


def _steps_to_make(regions: list[Region], operation: Operation) -> list[Step]:
    container = str(operation.vault_id)
    probe = f"{container}/{operation.pk}"  # where a machine's folder would be
    steps: list[Step] = []
    for region in regions:
        steps.append(Step(f"Making the container in {region}", _making(region, container)))
        steps.append(Step(f"Storing a probe in {region} and reading it back", _probing(region, probe)))
    steps += [Step(f"Checking the gateway of {region}", _looking_through(region, probe)) for region in regions]
    return steps


def _making(region: Region, container: str) -> Callable[[], None]:
    return lambda: region_storage(region).make_container(container)


def _probing(region: Region, probe: str) -> Callable[[], None]:
    def do() -> None:
        with _Probe(region, probe) as wanted:
            found = region_storage(region).read(f"{probe}/config")
            if found != wanted:
                raise StorageUnavailable(f"{region} returned other data than was stored.")

    return do


def _looking_through(region: Region, probe: str) -> Callable[[], None]:
    def do() -> None:
        with _Probe(region, probe) as wanted:
            if gateway.read_config(region.slug, region.name, probe) != wanted:
                raise StorageUnavailable(f"The gateway of {region} returned other data than was stored.")

    return do


class _Probe:
    """A small object in the place of a repository's `config`, there for the length of a `with` block."""

    def __init__(self, region: Region, folder: str) -> None:
        self.storage = region_storage(region)
        self.folder = folder

    def __enter__(self) -> bytes:
        content = f"strongroom probe {self.folder}".encode()
        self.storage.write(f"{self.folder}/config", content)
        return content

    def __exit__(self, *error: object) -> None:
        self.storage.delete(f"{self.folder}/config")
        self.storage.remove_container(self.folder)


def _steps_to_end(vault: Vault) -> list[Step]:
    region = copy_schedule.region_of(vault)
    if region is None:
        return []
    return [Step(f"Removing the empty container in {region}", lambda: _remove_container(region, vault))]


def _remove_container(region: Region, vault: Vault) -> None:
    # Redundancy changes only while no machine has registered, so there is at most the probe of an attempt that was
    # cut off; what else is in it stays, and so does the container.
    storage, container = region_storage(region), str(vault.pk)
    probes = {str(operation_id) for operation_id in vault.operations.values_list("pk", flat=True)}
    for entry in storage.entries(container):
        if entry.name in probes:
            storage.delete(f"{container}/{entry.name}/config")
            storage.remove_container(f"{container}/{entry.name}")
    storage.remove_container(container)


def _copy_made(operation: Operation, total_steps: int) -> None:
    with transaction.atomic():
        Vault.objects.select_for_update().get(pk=operation.vault_id)
        operations.succeed(operation, total_steps)
        copy_schedule.schedule(operation.vault_id)


def _copy_ended(operation: Operation, total_steps: int) -> None:
    with transaction.atomic():
        Vault.objects.select_for_update().get(pk=operation.vault_id)
        operations.succeed(operation, total_steps)
        copy_schedule.delete(operation.vault_id)


def _fail(operation: Operation, reason: str) -> None:
    with transaction.atomic():
        operations.fail(operation, reason)
