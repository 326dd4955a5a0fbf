"""What apps above add to what vaults show and tell."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from portal.core.extensions import Extensions
from vaults.models import Vault

machine_names: Extensions[Callable[[UUID, UUID], str]] = Extensions()
"""What a machine is called, by the IDs of its vault and its own; empty where that vault has none of that ID."""

machines_in: Extensions[Callable[[UUID, int], dict[UUID, str]]] = Extensions()
"""The machines that a vault counts, by name, at most so many: what each is called, by its ID."""

estates: Extensions[Callable[[Vault, datetime], object]] = Extensions()
"""How the machines of a vault are, for its Dashboard: given a vault that has some, and the time."""

restore_expectations: Extensions[Callable[[UUID, int | None], None]] = Extensions()
"""Told that a vault's people expect another restore time, in hours or none, in the transaction of the change."""


def called(vault_id: UUID, machine: object) -> str:
    """The machine by its name, as in `machine web-1`, or by its ID where the vault has none of that ID."""
    try:
        number = UUID(str(machine))
    except ValueError:
        return f"machine {machine}"
    return f"machine {next((name for find in machine_names if (name := find(vault_id, number))), machine)}"
