"""The expected restore time on the tab Configure."""

import pytest

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from tests.factories import as_actor
from tests.rows import now
from tests.vaults.pages import text_of, window
from vaults.lifecycle import expected_restore
from vaults.models import Vault
from vaults.states import VaultState


@pytest.fixture
def url(vault: Vault) -> str:
    return f"/vaults/{vault.pk}/configure/expected-restore/"


def expects(vault: Vault) -> int | None:
    return now(vault).expected_restore_hours


class TestSaving:
    def test_it_is_stored_recorded_and_shown(self, vault: Vault, staff: User, url: str) -> None:
        client = window(staff)
        answer = client.post(url, {"hours": "4", "expected": expected_restore.shown(vault)})
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/vaults/{vault.pk}/configure/")
        assert expects(vault) == 4
        assert "Saved. Expected restore time: 4 hours." in text_of(client.get(answer.headers["Location"]))
        entry = AuditEvent.objects.get(action="vault:expected-restore")
        assert entry.detail == {"from": "none", "to": "4 hours", "hours": 4}
        assert client.post(url, {"hours": ""}).status_code == 302
        assert expects(vault) is None

    def test_the_same_again_changes_nothing(self, vault: Vault, staff: User, url: str) -> None:
        client = window(staff)
        for _ in range(2):
            assert client.post(url, {"hours": "4"}).status_code == 302
        assert AuditEvent.objects.filter(action="vault:expected-restore").count() == 1

    @pytest.mark.parametrize("wrong", ["0", "-1", "8761", "1.5", "four", "1e3", "9" * 400, "\0"])
    def test_what_is_no_time_is_told_at_the_field_and_kept(
        self, vault: Vault, staff: User, url: str, wrong: str
    ) -> None:
        answer = window(staff).post(url, {"hours": wrong})
        assert answer.status_code == 422
        assert "A whole number of hours from 1 to 8,760, or nothing." in text_of(answer)
        assert expects(vault) is None

    def test_a_page_that_is_out_of_date_is_refused(self, vault: Vault, staff: User, url: str) -> None:
        before = expected_restore.shown(vault)
        expected_restore.change(vault.pk, actor=as_actor(staff), hours=9)
        answer = window(staff).post(url, {"hours": "4", "expected": before})
        assert (answer.status_code, expects(vault)) == (409, 9)
        assert "The expected restore time of Payroll is 9 hours now." in text_of(answer)

    def test_only_while_it_is_active(self, vault: Vault, staff: User, url: str) -> None:
        Vault.objects.filter(pk=vault.pk).update(state=VaultState.REMOVING)
        assert window(staff).post(url, {"hours": "4"}).status_code == 409
        assert expects(vault) is None


class TestAccess:
    def test_members_alone_change_it(
        self, vault: Vault, outsider: User, auditor: User, approver: User, url: str
    ) -> None:
        assert window(outsider).post(url, {"hours": "4"}).status_code == 404
        for onlooker in (auditor, approver):
            assert window(onlooker).post(url, {"hours": "4"}).status_code == 403
            page = window(onlooker).get(f"/vaults/{vault.pk}/configure/")
            assert "Expected restore time none" in text_of(page)
            assert url not in page.content.decode()
        assert expects(vault) is None

    def test_reading_changes_nothing(self, vault: Vault, staff: User, outsider: User, url: str) -> None:
        assert window(staff).get(url, {"hours": "4"}).headers["Location"] == f"/vaults/{vault.pk}/configure/"
        assert window(outsider).get(url).status_code == 404
        assert expects(vault) is None
