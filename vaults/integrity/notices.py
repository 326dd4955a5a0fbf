"""What the people of a vault are told of damage. What no region has is kept in vaults/integrity/losses.py."""

from uuid import UUID

from django.urls import reverse

from portal.notifications.models import Notification
from portal.notifications.publish import publish
from portal.templatetags.amounts import plural
from vaults.extensions import machine_names
from vaults.integrity import losses
from vaults.models import Region, Vault
from vaults.regions.storage.layout import CONFIG, Stored

_DO = "Run `strongroom-agent check` on that machine, then a backup."
_LOST = "Without it the machine's backups in that region cannot be opened; tell an administrator."


def notify_loss(vault: Vault, region: Region, item: Stored) -> None:
    """An object was set aside, and there is none to put in its place."""
    losses.note(vault, region, item)
    machine = _machine(item)
    what = f"An object of {_called(vault, machine)} in {region} did not match its name. {_DO}"
    if item.name == CONFIG:
        what = f"The `config` of {_called(vault, machine)} in {region} was cut off. {_LOST}"
    title = f'A damaged object of vault "{vault.name}" was set aside.'
    _publish(vault, f"quarantine:{region.slug}:{machine}", title, what)


def notify_repair(vault: Vault, region: Region, other: Region, item: Stored) -> None:
    """An object was set aside, and is there again, from the other region."""
    losses.found_again([item.path])
    machine = _machine(item)
    _publish(
        vault,
        f"repair:{region.slug}:{machine}",
        f'A damaged object of vault "{vault.name}" was replaced.',
        f"An object of {_called(vault, machine)} in {region} was not what its name says; {other} had an intact copy.",
        Notification.State.INFO,
    )


def notify_return(vault: Vault, other: Region, machine: UUID, count: int) -> None:
    """Objects that the vault's region had lost are there again, from the other one."""
    _publish(
        vault,
        f"return:{machine}",
        f'Lost objects of vault "{vault.name}" were brought back.',
        f"{plural(count, 'object')} of {_called(vault, machine)} {'was' if count == 1 else 'were'} missing in"
        f" {vault.region}, and intact in {other}.",
        Notification.State.INFO,
    )


def notify_trashed_snapshot(vault: Vault, machine: UUID, snapshot: str, reason: str) -> None:
    """An administrator has moved a snapshot to the trash."""
    _publish(
        vault,
        f"trash:{machine}:{snapshot}",
        f'A snapshot of vault "{vault.name}" was moved to the trash.',
        f"Snapshot {snapshot[:8]} of {_called(vault, machine)} is no longer listed or restored. "
        f"The reason given: {reason}",
        Notification.State.INFO,
    )


def notify_snapshot_put_back(vault: Vault, machine: UUID, snapshot: str, reason: str) -> None:
    """An administrator has moved a snapshot back from the trash; this takes the place of what said that it is gone."""
    _publish(
        vault,
        f"trash:{machine}:{snapshot}",
        f'A snapshot of vault "{vault.name}" was put back from the trash.',
        f"Snapshot {snapshot[:8]} of {_called(vault, machine)} is listed and restored again. "
        f"The reason given: {reason}",
        Notification.State.INFO,
    )


def notify_difference(vault: Vault, region: Region, other: Region, item: Stored) -> None:
    """The two regions have different objects, and nobody but the machine can tell which one is right."""
    machine = _machine(item)
    _publish(
        vault,
        f"difference:{region.slug}:{machine}",
        f'The copy of vault "{vault.name}" differs.',
        f"{region} and {other} have different `config` objects of {_called(vault, machine)}. {_DO}",
    )


def _machine(item: Stored) -> str:
    return item.machine.rpartition("/")[2]


def _called(vault: Vault, machine: object) -> str:
    """The machine by its name, or by its ID where the vault has none of that ID."""
    try:
        number = UUID(str(machine))
    except ValueError:
        return f"machine {machine}"
    name = next((name for called in machine_names if (name := called(vault.pk, number))), machine)
    return f"machine {name}"


def _publish(
    vault: Vault, key: str, title: str, step: str, state: Notification.State = Notification.State.ATTENTION
) -> None:
    url = reverse("vaults:vault", args=[vault.pk])
    publish(key, state=state, title=title, step=step, url=url, subscription=vault.subscription)
