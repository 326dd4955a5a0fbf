"""A form carries what it was made for: pressed on a page that is out of date, it is refused with what changed."""

import re
from typing import Any

import pytest

from portal.accounts.models import User
from portal.core.errors import ContentChanged
from portal.core.expected import require, tag_of
from tests.factories import as_actor
from tests.portal.pages import text, window
from vaults import operations
from vaults.credentials import vault_credentials
from vaults.lifecycle import creation, redundancy
from vaults.models import Operation, Vault


def carried(page: Any, action: str) -> dict[str, str]:
    """What the form of the page that goes to `action` carries."""
    form = next(one for one in page.content.decode().split("<form")[1:] if f'action="{action}"' in one)
    found = re.search(r'name="expected" value="([0-9a-f]{16})"', form.split("</form>")[0])
    assert found, action
    return {"expected": found[1]}


def test_the_tag_is_of_all_that_is_shown() -> None:
    shown: dict[str, object] = {"a": 1, "b": "2"}
    require(tag_of(**shown), "", **shown)
    require("", "", **shown)
    for other in ({"a": 2, "b": "2"}, {"a": 1}, {"a": 1, "c": "2"}):
        with pytest.raises(ContentChanged):
            require(tag_of(**other), "Now.", **shown)
    for sent in ("x", "\0", tag_of(**shown)[:15], tag_of(**shown).upper() + "A"):
        with pytest.raises(ContentChanged):
            require(sent, "Now.", **shown)


def test_of_two_tabs_the_second_does_not_undo_the_first(vault: Vault, staff: User) -> None:
    client, url = window(staff), f"/vaults/{vault.pk}/configure/"
    tabs = [carried(client.get(url), url) for _ in range(2)]
    first = client.post(url, {"redundancy": "local", **tabs[0]}, follow=True)
    assert "Saved. Payroll is locally redundant." in text(first)
    second = client.post(url, {"redundancy": "geo", **tabs[1]})
    vault.refresh_from_db()
    assert (second.status_code, vault.redundancy) == (409, "local")
    assert "Payroll is locally redundant now. Your page was out of date" in text(second)
    assert re.search(r'value="local"[^>]* checked', second.content.decode())
    again = client.post(url, {"redundancy": "geo", **carried(second, url)})
    vault.refresh_from_db()
    assert (again.status_code, vault.redundancy) == (302, "geo")


def test_confirming_what_is_no_longer_chosen_is_refused(vault: Vault, staff: User) -> None:
    client = window(staff)
    url = f"/vaults/{vault.pk}/quick-start/confirm/"
    page = client.get(f"/vaults/{vault.pk}/quick-start/")
    sent = carried(page, url)
    Vault.objects.update(redundancy="local")
    answer = client.post(url, sent)
    vault.refresh_from_db()
    assert (answer.status_code, vault.redundancy_confirmed_at) == (409, None)
    assert "Payroll is locally redundant now." in text(answer)


def test_ending_a_credential_ends_the_one_that_was_shown(vault: Vault, staff: User) -> None:
    actor = as_actor(staff)
    vault_credentials.issue(vault.pk, actor=actor)
    client = window(staff)
    url = f"/vaults/{vault.pk}/credentials/end/"
    page = client.get(f"/vaults/{vault.pk}/quick-start/")
    sent = carried(page, url)
    vault_credentials.issue(vault.pk, actor=actor)
    answer = client.post(url, sent)
    assert answer.status_code == 409
    assert "has downloaded a newer credential at" in text(answer)
    assert vault_credentials.status_of(vault).state == "valid"
    assert client.post(url, carried(client.get(f"/vaults/{vault.pk}/quick-start/"), url)).status_code == 302
    assert vault_credentials.status_of(vault).state == "ended"


def test_the_work_that_is_done_again_is_the_one_that_was_shown(vault: Vault, staff: User) -> None:
    earlier = Operation(vault=vault)
    operations.start(vault, Operation.Kind.MAKE_COPY)
    Operation.objects.update(state="failed", reason="The region refused.")
    with pytest.raises(ContentChanged, match="The region refused"):
        creation.retry(vault.pk, actor=as_actor(staff), expected=creation.shown(vault, earlier))
    latest = Operation.objects.get()
    creation.retry(vault.pk, actor=as_actor(staff), expected=creation.shown(vault, latest))
    assert Operation.objects.get().state == "running"


def test_the_api_expects_nothing(vault: Vault, staff: User) -> None:
    changed = redundancy.change(vault.pk, actor=as_actor(staff), redundancy="local")
    assert changed.redundancy == "local"
