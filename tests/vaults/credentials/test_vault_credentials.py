"""vaults.credentials.vault_credentials: who may, what the file holds, and which one is valid."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.errors import Invalid, NotAllowed, NotFound, StaleState
from portal.pki import authorities
from portal.pki.crypto import certificates, keys
from portal.pki.crypto.certificates import Kind, Profile
from tests.factories import as_actor
from vaults.credentials import issuance, vault_credentials
from vaults.credentials.document import canonical, file_name
from vaults.credentials.issuance import VaultNotActive
from vaults.credentials.vault_credentials import CredentialState
from vaults.models import Credential, Vault
from vaults.states import VaultState


def test_outsiders_and_strangers_get_none(vault: Vault, outsider: User, staff: User) -> None:
    for vault_id, person in ((vault.pk, outsider), (uuid4(), staff)):
        with pytest.raises(NotFound):
            vault_credentials.issue(vault_id, actor=as_actor(person))
        with pytest.raises(NotFound):
            vault_credentials.end(vault_id, actor=as_actor(person))
    assert not Credential.objects.exists()


def test_onlookers_get_none(vault: Vault, approver: User, auditor: User) -> None:
    for person in (approver, auditor):
        with pytest.raises(NotAllowed):
            vault_credentials.issue(vault.pk, actor=as_actor(person))
        with pytest.raises(NotAllowed):
            vault_credentials.end(vault.pk, actor=as_actor(person))


@pytest.mark.parametrize("machines", [-1, 0, 501])
def test_number_of_machines_has_bounds(vault: Vault, staff: User, machines: int) -> None:
    with pytest.raises(Invalid) as refused:
        vault_credentials.issue(vault.pk, actor=as_actor(staff), machines=machines)
    assert refused.value.errors == {"machines": ["Choose a number from 1 to 500."]}


@pytest.mark.parametrize("state", [state for state in VaultState if state != VaultState.ACTIVE])
def test_only_an_active_vault_hands_them_out(make_vault: Callable[..., Vault], staff: User, state: VaultState) -> None:
    vault = make_vault(state=state)
    with pytest.raises(VaultNotActive) as refused:
        vault_credentials.issue(vault.pk, actor=as_actor(staff))
    assert (refused.value.code, refused.value.status) == ("vault_not_active", 409)
    assert vault_credentials.status_of(vault).state == CredentialState.NONE


def test_file_holds_what_the_protocol_says(vault: Vault, staff: User) -> None:
    issued = vault_credentials.issue(vault.pk, actor=as_actor(staff), machines=3)
    document = issued.document
    assert list(document) == [
        "format",
        "vault",
        "purpose",
        "portal_url",
        "edge_url",
        "ca_certificates",
        "agent_signing_key",
        "certificate",
        "issued_at",
        "expires_at",
        "signature",
        "private_key",
    ]
    assert document["format"] == "strongroom-vault-credentials/1"
    assert document["vault"] == {
        "id": str(vault.pk),
        "name": "Payroll",
        "subscription": "Default",
        "region": "Local A",
    }
    assert document["purpose"] == "register"
    issued_at = datetime.fromisoformat(str(document["issued_at"]))
    assert datetime.fromisoformat(str(document["expires_at"])) - issued_at == timedelta(hours=48)
    assert issued_at == issued.credential.issued_at
    assert str(document["issued_at"]).endswith("Z")
    assert len(str(document["issued_at"])) == len("2026-11-22T17:40:00.123456Z")


def test_certificate_is_the_credentials_and_its_key_fits(vault: Vault, staff: User) -> None:
    issued = vault_credentials.issue(vault.pk, actor=as_actor(staff))
    chain = certificates.read_chain(str(issued.document["certificate"]))
    certificates.require_chain(chain, roots=authorities.roots(), at=issued.credential.issued_at)
    assert certificates.profile_of(chain[0]) == Profile(Kind.CREDENTIAL, issued.credential.pk)
    private = keys.read_private(str(issued.document["private_key"]))
    assert keys.digest(private.public_key()) == keys.digest(certificates.public_key(chain[0]))
    assert issued.credential.serial == certificates.serial(chain[0])
    assert issued.credential.fingerprint == certificates.fingerprint(chain[0])
    end = chain[0].not_valid_after_utc
    assert timedelta(0) <= issued.credential.expires_at - end < timedelta(seconds=1)


def test_signature_covers_all_but_the_key(vault: Vault, staff: User) -> None:
    document = vault_credentials.issue(vault.pk, actor=as_actor(staff)).document
    key, signature = authorities.signing_key().public_key(), str(document["signature"])
    assert document["agent_signing_key"] == keys.public_pem(key)
    assert keys.signature_fits(key, signature, canonical(document))
    assert keys.signature_fits(key, signature, canonical({**document, "private_key": ""}))
    for field in document.keys() - {"signature", "private_key"}:
        assert not keys.signature_fits(key, signature, canonical({**document, field: "edited"})), field


def test_private_key_persists_nowhere(vault: Vault, staff: User) -> None:
    document = vault_credentials.issue(vault.pk, actor=as_actor(staff)).document
    secret = str(document["private_key"]).splitlines()[1]
    rows = [*Credential.objects.values(), *AuditEvent.objects.filter(action="credential:issue").values()]
    assert len(rows) == 2
    assert secret not in repr(rows)
    assert "PRIVATE" not in repr(rows)


def test_key_made_elsewhere_never_comes_by(vault: Vault, staff: User) -> None:
    key = keys.new_key().public_key()
    terms = vault_credentials.terms(1, Credential.KeyOrigin.BROWSER)
    issued = issuance.issue(key, vault, terms, as_actor(staff))
    assert "private_key" not in issued.document
    assert issued.credential.key_origin == Credential.KeyOrigin.BROWSER
    leaf = certificates.read_chain(str(issued.document["certificate"]))[0]
    assert keys.digest(certificates.public_key(leaf)) == keys.digest(key)


def test_audit_says_who_for_how_many_and_where_the_key_was_made(vault: Vault, staff: User) -> None:
    issued = vault_credentials.issue(vault.pk, actor=as_actor(staff), machines=7)
    entry = AuditEvent.objects.get(action="credential:issue")
    assert (entry.action, entry.actor, entry.vault_id) == ("credential:issue", staff, vault.pk)
    assert entry.detail == {
        "vault": vault.name,
        "machines": 7,
        "key": "server",
        "serial": issued.credential.serial,
        "expires_at": issued.document["expires_at"],
    }


def test_next_one_ends_the_one_before(vault: Vault, staff: User) -> None:
    first = vault_credentials.issue(vault.pk, actor=as_actor(staff)).credential
    second = vault_credentials.issue(vault.pk, actor=as_actor(staff)).credential
    first.refresh_from_db()
    assert vault_credentials.state_of(first, timezone.now()) == CredentialState.REPLACED
    assert first.ended_at == second.issued_at
    assert vault_credentials.status_of(vault) == vault_credentials.CredentialStatus(CredentialState.VALID, second, 1)


def test_issue_times_increase_even_when_the_clock_goes_back(vault: Vault, staff: User) -> None:
    first = vault_credentials.issue(vault.pk, actor=as_actor(staff)).credential
    ahead = first.issued_at + timedelta(hours=1)
    Credential.objects.filter(pk=first.pk).update(issued_at=ahead)
    second = vault_credentials.issue(vault.pk, actor=as_actor(staff)).credential
    assert second.issued_at == ahead + timedelta(microseconds=1)


def test_end_now_leaves_none(vault: Vault, staff: User) -> None:
    with pytest.raises(StaleState):
        vault_credentials.end(vault.pk, actor=as_actor(staff))
    issued = vault_credentials.issue(vault.pk, actor=as_actor(staff)).credential
    vault_credentials.end(vault.pk, actor=as_actor(staff))
    with pytest.raises(StaleState):
        vault_credentials.end(vault.pk, actor=as_actor(staff))
    assert vault_credentials.status_of(vault).state == CredentialState.ENDED
    assert list(AuditEvent.objects.filter(vault_id=vault.pk).values_list("action", "target_id")) == [
        ("credential:end", str(issued.pk)),
        ("credential:issue", str(issued.pk)),
    ]


def test_state_is_truthful(vault: Vault, staff: User) -> None:
    credential = vault_credentials.issue(vault.pk, actor=as_actor(staff), machines=2).credential
    just_before = credential.expires_at - timedelta(microseconds=1)
    assert vault_credentials.state_of(credential, just_before) == CredentialState.VALID
    assert vault_credentials.state_of(credential, credential.expires_at) == CredentialState.EXPIRED
    credential.machines_used = 1
    assert (vault_credentials.state_of(credential, just_before), vault_credentials.machines_left(credential)) == (
        "valid",
        1,
    )
    credential.machines_used = 2
    assert vault_credentials.state_of(credential, just_before) == CredentialState.USED_UP


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (datetime(2026, 11, 22, 23, 59, tzinfo=UTC), "Payroll_Sun Nov 22 2026.VaultCredentials"),
        (datetime(2027, 1, 1, tzinfo=UTC), "Payroll_Fri Jan 01 2027.VaultCredentials"),
    ],
)
def test_file_name(day: datetime, name: str) -> None:
    assert file_name("Payroll", day) == name


def test_issuing_costs_a_fixed_number_of_queries(
    vault: Vault, staff: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    vault_credentials.issue(vault.pk, actor=as_actor(staff))
    with django_assert_num_queries(9):
        vault_credentials.issue(vault.pk, actor=as_actor(staff))


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_exactly_the_last_is_valid(vault: Vault, staff: User) -> None:
    start = threading.Barrier(20)
    issued: list[Credential] = []

    def press() -> None:
        try:
            start.wait()
            issued.append(vault_credentials.issue(vault.pk, actor=as_actor(staff)).credential)
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = list(Credential.objects.order_by("issued_at"))
    assert len({row.issued_at for row in rows}) == len(issued) == 20
    now = timezone.now()
    assert [vault_credentials.state_of(row, now) for row in rows] == [CredentialState.REPLACED] * 19 + [
        CredentialState.VALID
    ]
