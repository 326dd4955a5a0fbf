"""The rows of the vault list, made without the template engine.

Fifty rows of some thirty nodes each took more time than all the rest of the page.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.templatetags.amounts import ago
from portal.templatetags.elements import icon, status
from vaults.filters import is_late
from vaults.lifecycle import creation
from vaults.models import Operation, Redundancy, Vault
from vaults.states import VaultState

ANY = UUID(int=0)
LATE = SafeString(' <span class="warn">– late</span>')
NOTHING = SafeString("")
REASON = '<span class="sub reason" title="{0}">{0}</span>'
RETRY = (
    ' <button class="button small" id="retry-{key}" form="retry" formaction="{url}"'
    ' name="expected" value="{expected}"'
    ' aria-describedby="open-{key}">Retry</button>'
)
ROW = """
<tr>
  <th scope="row"><a class="cut" id="open-{key}" href="{open}" title="{name}">{name}</a></th>
  <td>{status}{retry}{reason}</td>
  <td data-label="Region">{region}</td>
  <td data-label="Subscription"><span class="cut" title="{subscription}">{subscription}</span></td>
  <td data-label="Redundancy" class="nowrap">{redundancy}{lock}</td>
  <td data-label="Machines" class="number">{machines}</td>
  <td data-label="Last backup">{last_backup}{late}</td>
  <td data-narrow="hide"><a class="icon-button" id="start-{key}" href="START" aria-label="Quick Start"
    aria-describedby="open-{key}" title="Quick Start">{cloud}</a></td>
</tr>"""


def table_rows(vaults: Iterable[Vault], retry: Mapping[UUID, Operation]) -> SafeString:
    """A `<tr>` for each vault of a VaultFilter, with the names of region and subscription that it adds.

    Those in `retry`, which has the work that failed, have a button. It sends the page's form of that name, with what
    the row was made for.
    """
    lock, cloud = _lock(), icon("cloud")
    return format_html_join("", _row(), (_cells(vault, lock, cloud, retry) for vault in vaults))


def _cells(vault: Vault, lock: SafeString, cloud: SafeString, retry: Mapping[UUID, Operation]) -> dict[str, object]:
    return {
        "key": SafeString(vault.pk),  # neither keys nor numbers have anything to escape
        "open": _home(vault),
        "name": vault.name,
        "status": status(vault),
        "retry": _retry(vault, retry[vault.pk]) if vault.pk in retry else NOTHING,
        "reason": format_html(REASON, vault.state_reason) if vault.state_reason else NOTHING,
        "region": vault.region_name,  # type: ignore[attr-defined]  # added by VaultFilter
        "subscription": vault.subscription_name,  # type: ignore[attr-defined]  # added by VaultFilter
        "redundancy": Redundancy(vault.redundancy).label,
        "lock": lock if vault.redundancy_locked else NOTHING,
        "machines": SafeString(vault.machine_count),
        "last_backup": ago(vault.last_backup_at, "never"),
        "late": LATE if is_late(vault) else NOTHING,
        "cloud": cloud,
    }


def _retry(vault: Vault, work: Operation) -> SafeString:
    url = reverse("vaults:retry", args=[vault.pk])
    return format_html(RETRY, key=vault.pk, url=url, expected=creation.shown(vault, work))


def _lock() -> SafeString:
    return format_html(
        ' <span title="Locked: a machine has registered">{}<span class="visually-hidden">, locked</span></span>',
        icon("lock"),
    )


@cache
def _row() -> str:
    """ROW with its links, which are looked up once instead of twice for each row."""
    return ROW.replace("START", _link("agents:quick-start"))


def _home(vault: Vault) -> SafeString:
    """As `Vault.get_absolute_url()` has it, without looking addresses up for each row."""
    fresh = vault.state == VaultState.ACTIVE and vault.last_restore_check_at is None
    return SafeString(_link("agents:quick-start" if fresh else "vaults:vault").format(key=vault.pk))


@cache
def _link(name: str) -> str:
    return reverse(name, args=[ANY]).replace(str(ANY), "{key}")
