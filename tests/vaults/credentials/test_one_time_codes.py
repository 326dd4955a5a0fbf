"""vaults.credentials.one_time_codes: who may have one, what is stored of it, and what ends it."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import serializers
from django.utils import timezone

from portal.accounts.models import Membership, Subscription, User
from portal.audit.models import AuditEvent
from portal.core.errors import NotAllowed, NotFound, StaleState, Throttled
from portal.pki.crypto import keys
from tests.factories import as_actor, member_of
from vaults.credentials import code_text, one_time_codes, redemption, vault_credentials
from vaults.credentials.issuance import VaultNotActive
from vaults.credentials.one_time_codes import CodeState, Shown, state_of
from vaults.credentials.vault_credentials import CredentialState
from vaults.models import Credential, OneTimeCode, Vault
from vaults.states import VaultState

pytestmark = pytest.mark.django_db


@pytest.fixture
def shown(vault: Vault, staff: User) -> Shown:
    return one_time_codes.show(vault.pk, actor=as_actor(staff))


def redeemed(shown: Shown) -> Credential:
    found = redemption.find(shown.code.vault_id, shown.text.replace("-", ""))
    assert found is not None
    redemption.redeem(found, keys.new_key().public_key(), actor=as_actor(shown.code.person))
    shown.code.refresh_from_db()
    assert shown.code.credential is not None
    return shown.code.credential


def test_a_code_has_sixty_bits_in_letters_that_nobody_mistakes(shown: Shown) -> None:
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}", shown.text)
    assert len(code_text.ALPHABET) ** code_text.LENGTH == 2**60
    assert shown.code.expires_at - shown.code.shown_at == timedelta(minutes=10)


def test_a_copy_of_the_database_says_nothing_of_it(shown: Shown, settings: pytest.FixtureRequest) -> None:
    plain = shown.text.replace("-", "")
    kept = serializers.serialize("json", [*OneTimeCode.objects.all(), *AuditEvent.objects.all()])
    kept += json.dumps(list(AuditEvent.objects.values()), default=str)
    assert shown.code.digest in kept
    assert plain not in kept
    assert shown.text not in kept
    before = code_text.digest(plain)
    settings.SECRET_KEY = "another key, of another portal"  # type: ignore[attr-defined]
    assert code_text.digest(plain) != before


def test_who_may_download_credentials_may_have_one(
    vault: Vault, staff: User, approver: User, auditor: User, outsider: User
) -> None:
    for person in (approver, auditor):
        with pytest.raises(NotAllowed):
            one_time_codes.show(vault.pk, actor=as_actor(person))
    with pytest.raises(NotFound):
        one_time_codes.show(vault.pk, actor=as_actor(outsider))
    with pytest.raises(NotFound):
        one_time_codes.show(uuid4(), actor=as_actor(staff))
    assert not OneTimeCode.objects.exists()


@pytest.mark.parametrize("state", [state for state in VaultState if state != VaultState.ACTIVE])
def test_only_an_active_vault_has_them(make_vault: Callable[..., Vault], staff: User, state: VaultState) -> None:
    with pytest.raises(VaultNotActive):
        one_time_codes.show(make_vault(state=state).pk, actor=as_actor(staff))


def test_codes_and_files_do_not_end_each_other(vault: Vault, staff: User, subscription: Subscription) -> None:
    issued = vault_credentials.issue(vault.pk, actor=as_actor(staff), machines=5)
    colleague = member_of(subscription)
    codes = [one_time_codes.show(vault.pk, actor=as_actor(person)) for person in (staff, colleague, staff)]
    of_first, of_second = redeemed(codes[0]), redeemed(codes[1])
    status = vault_credentials.status_of(vault)
    assert (status.state, status.credential) == (CredentialState.VALID, issued.credential)
    vault_credentials.issue(vault.pk, actor=as_actor(staff))
    for credential in (of_first, of_second):
        credential.refresh_from_db()
        assert credential.ended_at is None
    assert state_of(codes[2].code, timezone.now()) == CodeState.WAITING


def test_a_person_has_twenty_at_once(vault: Vault, staff: User, subscription: Subscription) -> None:
    codes = [one_time_codes.show(vault.pk, actor=as_actor(staff)) for _ in range(20)]
    with pytest.raises(Throttled) as refused:
        one_time_codes.show(vault.pk, actor=as_actor(staff))
    assert 500 < refused.value.retry_after <= 600
    one_time_codes.show(vault.pk, actor=as_actor(member_of(subscription)))
    one_time_codes.end(vault.pk, codes[4].code.pk, actor=as_actor(staff))
    one_time_codes.show(vault.pk, actor=as_actor(staff))


def test_end_now(vault: Vault, staff: User, shown: Shown, outsider: User, auditor: User) -> None:
    for person, kind in ((outsider, NotFound), (auditor, NotAllowed)):
        with pytest.raises(kind):
            one_time_codes.end(vault.pk, shown.code.pk, actor=as_actor(person))
    with pytest.raises(NotFound):
        one_time_codes.end(vault.pk, uuid4(), actor=as_actor(staff))
    one_time_codes.end(vault.pk, shown.code.pk, actor=as_actor(staff))
    shown.code.refresh_from_db()
    assert state_of(shown.code, timezone.now()) == CodeState.ENDED
    with pytest.raises(StaleState):
        one_time_codes.end(vault.pk, shown.code.pk, actor=as_actor(staff))
    assert AuditEvent.objects.get(action="code:end").target_id == str(shown.code.pk)


def test_end_now_ends_what_a_machine_has_got_for_it(vault: Vault, staff: User, shown: Shown) -> None:
    credential = redeemed(shown)
    one_time_codes.end(vault.pk, shown.code.pk, actor=as_actor(staff))
    credential.refresh_from_db()
    assert (credential.end, credential.ended_at is None) == (Credential.End.ENDED, False)


def test_states(vault: Vault, staff: User, shown: Shown) -> None:
    assert state_of(shown.code, timezone.now()) == CodeState.WAITING
    assert state_of(shown.code, shown.code.expires_at) == CodeState.EXPIRED
    membership = Membership.objects.get(user=staff)
    membership.delete()
    assert state_of(shown.code, timezone.now()) == CodeState.ISSUER_LEFT
    membership.save(force_insert=True)
    redeemed(shown)
    assert state_of(shown.code, shown.code.expires_at) == CodeState.REDEEMED
