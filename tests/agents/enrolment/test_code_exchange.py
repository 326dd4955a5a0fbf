"""Redeeming a one-time code: what a machine gets for it, each refusal, and that it is one machine's."""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.utils import timezone

from agents.models import Machine, RefusedRegistration
from portal.accounts.models import Membership, User
from portal.audit.models import AuditEvent
from portal.notifications.models import Notification
from portal.pki.crypto import certificates, keys
from tests.agents import peer
from tests.agents.peer import refused, register, request_for
from tests.agents.redeeming import redeem, send, with_key
from tests.at_once import at_once
from tests.factories import as_actor, vault_in
from vaults.credentials import code_tries, one_time_codes
from vaults.credentials.credential_file import canonical
from vaults.credentials.one_time_codes import Shown
from vaults.models import CodeTry, Credential, OneTimeCode, Vault
from vaults.states import VaultState

Show = Callable[[], Shown]


@pytest.fixture
def show(vault: Vault, staff: User) -> Show:
    return lambda: one_time_codes.show(vault.pk, actor=as_actor(staff))


def test_the_machine_gets_a_credential_without_key_and_registers(show: Show, vault: Vault, staff: User) -> None:
    shown, key = show(), keys.new_key()
    response = redeem(shown, key)
    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    document = response.json()
    assert "private_key" not in document
    assert (document["purpose"], document["vault"]["id"]) == ("register", str(vault.pk))
    life = datetime.fromisoformat(document["expires_at"]) - datetime.fromisoformat(document["issued_at"])
    assert life == timedelta(hours=1)
    signing = keys.require_p256(load_pem_public_key(document["agent_signing_key"].encode()))
    assert keys.signature_fits(signing, document["signature"], canonical(document))
    leaf = certificates.read_chain(document["certificate"])[0]
    assert keys.digest(certificates.public_key(leaf)) == keys.digest(key.public_key())
    credential = Credential.objects.get()
    assert (credential.machines_limit, credential.issued_by, credential.by_code) == (1, staff, True)
    assert register(with_key(response, key), peer.Machine()).status_code == 201
    assert Machine.objects.get().credential == credential
    refused(register(with_key(response, key), peer.Machine("another")), 403, "credential_used_up")
    assert Notification.objects.filter(step__contains="with a one-time code that staff had shown").exists()


def test_what_the_log_says(show: Show, staff: User) -> None:
    shown, key = show(), keys.new_key()
    redeem(shown, key)
    told = AuditEvent.objects.get(action="code:redeem")
    assert (told.actor_label, told.refused, told.detail["issued_by"]) == ("machine hr-db-02", False, "staff")
    assert not AuditEvent.objects.filter(action="credential:issue").exists()


def test_after_a_lost_answer_the_same_key_gets_the_same_credential(show: Show) -> None:
    shown, key = show(), keys.new_key()
    first = redeem(shown, key)
    OneTimeCode.objects.update(expires_at=timezone.now())
    again = redeem(shown, key)
    assert (first.status_code, again.status_code) == (201, 200)
    ignoring = {"signature"}
    assert {k: v for k, v in again.json().items() if k not in ignoring} == {
        k: v for k, v in first.json().items() if k not in ignoring
    }
    assert Credential.objects.count() == 1
    Credential.objects.update(expires_at=timezone.now())
    refused(redeem(shown, key), 403, "code_expired")


def test_another_key_is_refused(show: Show) -> None:
    shown = show()
    redeem(shown, keys.new_key())
    refused(redeem(shown, keys.new_key()), 403, "code_used", begins="Another machine used this one-time code at")
    assert Credential.objects.count() == 1


def test_a_key_is_not_good_for_two_codes(show: Show) -> None:
    key = keys.new_key()
    redeem(show(), key)
    problem = refused(redeem(show(), key), 422, "invalid")
    assert problem["errors"] == {"csr": ["A credential has already been issued for this key. Make a new key."]}


def test_of_many_keys_at_once_exactly_one_gets_it(show: Show, transactional_db: None) -> None:
    shown = show()
    mine = [keys.new_key() for _ in range(6)]
    outcomes = at_once([partial(redeem, shown, key, address=f"192.0.2.{n}") for n, key in enumerate(mine)])
    statuses = sorted(getattr(outcome, "status_code", 0) for outcome in outcomes)
    assert statuses == [201, 403, 403, 403, 403, 403], outcomes
    assert Credential.objects.count() == 1
    assert OneTimeCode.objects.get().credential == Credential.objects.get()


def test_two_hundred_people_at_once_do_not_break_each_other(show: Show, vault: Vault, transactional_db: None) -> None:
    codes = [(show(), keys.new_key()) for _ in range(12)]
    calls = [partial(redeem, c, k, address=f"198.51.100.{n}") for n, (c, k) in enumerate(codes)]
    assert [getattr(outcome, "status_code", outcome) for outcome in at_once(calls)] == [201] * 12
    assert Credential.objects.filter(ended_at=None).count() == 12


@pytest.mark.parametrize("how", ["membership", "account"])
def test_a_code_of_somebody_who_has_left(show: Show, staff: User, how: str) -> None:
    shown, key = show(), keys.new_key()
    first = redeem(later := show(), keys.new_key())
    if how == "membership":
        Membership.objects.filter(user=staff).delete()
    else:
        User.objects.filter(pk=staff.pk).update(is_active=False)
    refused(redeem(shown, key), 403, "code_issuer_left", begins="staff, whom this one-time code was shown to, has left")
    assert first.status_code == 201
    assert later.code.pk != shown.code.pk


def test_what_was_redeemed_dies_with_the_membership(show: Show, staff: User) -> None:
    shown, key = show(), keys.new_key()
    document = with_key(redeem(shown, key), key)
    Membership.objects.filter(user=staff).delete()
    refused(
        register(document, peer.Machine()),
        403,
        "credential_superseded",
        holds="staff, who had the one-time code, has left",
    )


def test_ended_expired_and_of_a_vault_that_is_not_active(show: Show, vault: Vault, staff: User) -> None:
    ended, old, third = show(), show(), show()
    one_time_codes.end(vault.pk, ended.code.pk, actor=as_actor(staff))
    refused(redeem(ended, keys.new_key()), 403, "code_ended", begins="A member of the vault ended this one-time code")
    OneTimeCode.objects.filter(pk=old.code.pk).update(expires_at=timezone.now())
    refused(redeem(old, keys.new_key()), 403, "code_expired", begins="This one-time code has expired.")
    Vault.objects.filter(pk=vault.pk).update(state=VaultState.REMOVING)
    refused(redeem(third, keys.new_key()), 409, "vault_not_active")
    assert not Credential.objects.exists()


def test_ended_after_it_was_redeemed(show: Show, vault: Vault, staff: User) -> None:
    shown, key = show(), keys.new_key()
    document = with_key(redeem(shown, key), key)
    one_time_codes.end(vault.pk, shown.code.pk, actor=as_actor(staff))
    refused(redeem(shown, key), 403, "code_ended")
    problem = refused(register(document, peer.Machine()), 403, "credential_superseded", holds="A member of the vault")
    assert problem["remedy"].startswith("Show another one-time code")


def test_a_code_is_of_its_vault_alone(show: Show, vault: Vault) -> None:
    other = vault_in(vault.subscription, vault.region, "Other")
    for vault_id in (other.pk, uuid4()):
        refused(redeem(show(), keys.new_key(), vault=str(vault_id)), 403, "code_invalid")
    assert not Credential.objects.exists()


class TestGuessing:
    """Wrong codes are counted, noted, and do not shut others out."""

    def test_an_address_has_twenty_tries(self, show: Show) -> None:
        shown = show()
        for _ in range(code_tries.TRIES_FROM_NETWORK):
            refused(redeem(shown, keys.new_key(), code="0" * 12), 403, "code_invalid")
        response = redeem(shown, keys.new_key())
        assert refused(response, 429, "throttled")["retry_after"] == int(response["Retry-After"]) > 800
        assert redeem(shown, keys.new_key(), address="192.0.2.10").status_code == 201

    def test_good_codes_do_not_count(self, show: Show, vault: Vault) -> None:
        key, shown = keys.new_key(), show()
        for _ in range(code_tries.TRIES_FROM_NETWORK + 2):
            assert redeem(shown, key).status_code in {200, 201}
        assert not CodeTry.objects.exists()

    def test_a_crowded_vault_lets_those_in_who_have_not_guessed(self, show: Show, vault: Vault) -> None:
        long_ago = timezone.now() - timedelta(minutes=5)
        CodeTry.objects.bulk_create(
            CodeTry(vault_id=vault.pk, network=f"203.0.113.{n % 250}", at=long_ago)
            for n in range(code_tries.TRIES_FOR_VAULT)
        )
        shown = show()
        for _ in range(code_tries.TRIES_WHEN_CROWDED):
            refused(redeem(shown, keys.new_key(), code="0" * 12, address="192.0.2.66"), 403, "code_invalid")
        refused(redeem(shown, keys.new_key(), address="192.0.2.66"), 429, "throttled")
        assert redeem(shown, keys.new_key()).status_code == 201

    def test_a_crowded_vault_takes_sixty_a_minute_in_all(self, show: Show, vault: Vault) -> None:
        now = timezone.now()
        CodeTry.objects.bulk_create(
            CodeTry(vault_id=vault.pk, network=f"203.0.113.{n}", at=now) for n in range(code_tries.TRIES_FOR_VAULT)
        )
        refused(redeem(show(), keys.new_key()), 429, "throttled")

    def test_old_tries_are_forgotten(self, show: Show, vault: Vault) -> None:
        CodeTry.objects.create(vault_id=vault.pk, network="192.0.2.9", at=timezone.now() - timedelta(minutes=16))
        assert redeem(show(), keys.new_key()).status_code == 201
        assert not CodeTry.objects.exists()

    def test_people_who_wait_see_it_and_the_log_has_it(self, show: Show, vault: Vault) -> None:
        shown = show()
        redeem(shown, keys.new_key(), code="0" * 12)
        told = RefusedRegistration.objects.get()
        assert (told.vault_id, told.code, told.name, told.address) == (
            vault.pk,
            "code_invalid",
            "hr-db-02",
            "192.0.2.9",
        )
        entry = AuditEvent.objects.get(action="code:redeem")
        assert (entry.refused, entry.vault_id, entry.detail["code"]) == (True, vault.pk, "code_invalid")

    def test_nobody_fills_the_page_of_people_who_wait_for_nothing(self, show: Show, vault: Vault) -> None:
        shown = show()
        OneTimeCode.objects.update(expires_at=timezone.now())
        redeem(shown, keys.new_key(), code="0" * 12)
        assert not RefusedRegistration.objects.exists()

    def test_of_strangers_ten_are_shown_in_an_hour(self, show: Show) -> None:
        shown = show()
        for number in range(14):
            redeem(shown, keys.new_key(), code="0" * 12, name=f"m{number}", address=f"203.0.113.{number}")
        assert RefusedRegistration.objects.count() == 10

    def test_a_code_that_was_used_is_noted_with_it(self, show: Show) -> None:
        shown = show()
        redeem(shown, keys.new_key())
        for _ in range(2):
            redeem(shown, keys.new_key())
        told = RefusedRegistration.objects.get()
        assert (told.code, told.one_time_code_id) == ("code_used", shown.code.pk)


@pytest.mark.parametrize("kind", ["application/jose", "text/plain", "application/x-www-form-urlencoded"])
def test_other_content_types(kind: str, db: None) -> None:
    refused(send(b"{}", kind=kind), 422, "invalid")


def test_a_request_that_proves_nothing(show: Show) -> None:
    """The signature of the request is changed in its last byte."""
    raw = base64.b64decode("".join(request_for(keys.new_key()).splitlines()[1:-1]))
    changed = base64.encodebytes(raw[:-1] + bytes([raw[-1] ^ 1])).decode()
    csr = f"-----BEGIN CERTIFICATE REQUEST-----\n{changed}-----END CERTIFICATE REQUEST-----\n"
    problem = refused(redeem(show(), keys.new_key(), csr=csr), 422, "invalid")
    assert list(problem["errors"]) == ["csr"]
    assert not Credential.objects.exists()
