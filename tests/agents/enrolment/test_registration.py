"""Registering: each refusal of the contract, what a success writes, and that repeating it changes nothing."""

import json
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.models import Machine, MachineCertificate, RefusedRegistration, SpentToken
from portal.accounts.models import Membership, User
from portal.audit.models import AuditEvent
from portal.core.errors import RedundancyLocked
from portal.core.times import for_people
from portal.notifications.models import Notification
from portal.pki import authorities
from portal.pki.crypto import certificates, issuing, keys
from portal.pki.crypto.certificates import Kind, Profile
from tests.agents import peer
from tests.agents.factories import Issue
from tests.agents.peer import refused, register, say
from tests.at_once import at_once
from tests.factories import as_actor
from vaults.credentials import vault_credentials
from vaults.lifecycle import redundancy
from vaults.models import Credential, PairedCopy, Vault
from vaults.states import VaultState


def test_expired_credential(issue: Issue) -> None:
    document = issue()
    Credential.objects.update(expires_at=timezone.now())
    response = register(document, peer.Machine())
    refused(response, 403, "credential_expired", begins="Vault credentials file provided has expired.")
    assert not Machine.objects.exists()


def test_replaced_credential(issue: Issue) -> None:
    document, newer = issue(), issue()
    problem = refused(
        register(document, peer.Machine()),
        403,
        "credential_superseded",
        begins="Invalid vault credentials provided.",
        holds="A newer file was downloaded at",
    )
    issued = datetime.fromisoformat(str(newer["issued_at"]))
    assert for_people(issued) in problem["detail"]


def test_ended_credential(issue: Issue, vault: Vault, staff: User) -> None:
    document = issue()
    vault_credentials.end(vault.pk, actor=as_actor(staff))
    refused(
        register(document, peer.Machine()),
        403,
        "credential_superseded",
        begins="Invalid vault credentials provided.",
        holds="A member of the vault ended it at",
    )


@pytest.mark.parametrize("how", ["membership", "account"])
def test_credential_of_somebody_who_has_left(issue: Issue, staff: User, how: str) -> None:
    document = issue()
    if how == "membership":
        Membership.objects.filter(user=staff).delete()
    else:
        User.objects.filter(pk=staff.pk).update(is_active=False)
    refused(
        register(document, peer.Machine()),
        403,
        "credential_superseded",
        begins="Invalid vault credentials provided.",
        holds="staff, who downloaded them, has left Default.",
    )
    assert not Machine.objects.exists()


def test_used_up_credential_says_by_whom(issue: Issue) -> None:
    document = issue(machines=2)
    for name in ("first", "second"):
        assert register(document, peer.Machine(name)).status_code == 201
    refused(
        register(document, peer.Machine("third")),
        403,
        "credential_used_up",
        begins="Invalid vault credentials provided.",
        holds="It was issued for 2 machines and has been used by second, first.",
    )
    assert Machine.objects.count() == 2


@pytest.mark.parametrize("state", [state for state in VaultState if state != VaultState.ACTIVE])
def test_vault_that_is_not_active(issue: Issue, vault: Vault, state: VaultState) -> None:
    document = issue()
    Vault.objects.update(state=state)
    refused(register(document, peer.Machine()), 409, "vault_not_active", holds=f"is {state}")


def test_name_that_is_taken_whatever_its_case(issue: Issue, machine: peer.Machine) -> None:
    refused(
        register(issue(), peer.Machine("HR-DB-02")),
        409,
        "machine_exists",
        holds="request a replacement credential",
    )
    assert Machine.objects.count() == 1


def test_name_of_a_machine_that_was_locked_out_is_taken(issue: Issue, machine: peer.Machine) -> None:
    Machine.objects.update(state="Revoked")
    refused(register(issue(), peer.Machine()), 409, "machine_exists")


def test_name_of_a_machine_that_has_left_is_free(issue: Issue, machine: peer.Machine) -> None:
    assert say(machine.holder, "unregister").status_code == 200
    newcomer = peer.Machine()
    assert register(issue(), newcomer).status_code == 201
    assert newcomer.id != machine.id


@pytest.mark.parametrize(("offset", "word"), [(-432, "7 minutes and"), (432, "7 minutes and"), (-(10**6), "277 hours")])
def test_clock_that_is_off(issue: Issue, offset: int, word: str) -> None:
    holder, machine = peer.Holder.of(issue()), peer.Machine()
    payload = holder.payload("register", **machine.registration())
    payload["iat"] = int(str(payload["iat"])) + offset
    problem = refused(
        peer.send("register", holder.sign(json.dumps(payload).encode())),
        400,
        "clock_skew",
        begins="This machine's clock is",
        holds=word,
    )
    assert ("slow" if offset < 0 else "fast") in problem["detail"]
    assert abs(problem["skew_seconds"] - offset) <= 30


def test_clock_within_five_minutes_will_do(issue: Issue) -> None:
    holder, machine = peer.Holder.of(issue()), peer.Machine()
    payload = holder.payload("register", **machine.registration())
    payload["iat"] = int(str(payload["iat"])) - 290
    assert peer.send("register", holder.sign(json.dumps(payload).encode())).status_code == 201


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"name": "two words"}, "name"),
        ({"name": "new\nline"}, "name"),
        ({"name": "ünicode"}, "name"),
        ({"name": 7}, "name"),
        ({"csr": "-----BEGIN"}, "csr"),
        ({"csr": None}, "csr"),
        ({"platform": "Linux"}, "platform"),
        ({"platform": {**peer.PLATFORM, "os": 1}}, "platform.os"),
        ({"agent_version": "x" * 33}, "agent_version"),
    ],
)
def test_fields_are_checked(issue: Issue, changes: dict[str, object], field: str) -> None:
    problem = refused(register(issue(), peer.Machine(), **changes), 422, "invalid")
    assert list(problem["errors"]) == [field]
    assert not Machine.objects.exists()


def test_machine_needs_a_key_of_its_own(issue: Issue) -> None:
    document = issue()
    machine = peer.Machine(key=peer.Holder.of(document).key)
    assert refused(register(document, machine), 422, "invalid")["errors"].keys() == {"csr"}


def test_certificate_of_ours_without_a_row_registers_nothing(vault: Vault, issue: Issue) -> None:
    """As somebody could make it who has stolen the key of our CA."""
    issue()
    now, key = timezone.now(), keys.new_key()
    known = Credential.objects.get()
    leaf = issuing.issue_client(
        authorities.client_authority(),
        key.public_key(),
        Profile(Kind.CREDENTIAL, known.pk),
        at=now,
        until=now + timedelta(hours=1),
    )
    holder = peer.Holder(key, authorities.client_chain_pem(leaf))
    response = say(holder, "register", **peer.Machine().registration())
    refused(response, 403, "credential_invalid", begins="Invalid vault credentials provided.")


def test_machines_certificate_registers_nothing(machine: peer.Machine) -> None:
    response = say(machine.holder, "register", **peer.Machine("another").registration())
    refused(response, 403, "credential_invalid", begins="Invalid vault credentials provided.")


def test_message_acts_once(issue: Issue) -> None:
    holder = peer.Holder.of(issue(machines=2))
    body = holder.sign(json.dumps(holder.payload("register", **peer.Machine().registration())).encode())
    assert peer.send("register", body).status_code == 201
    refused(peer.send("register", body), 403, "credential_invalid", holds="used before")
    assert SpentToken.objects.count() == 1


def test_success_gives_the_identity_of_the_protocol(issue: Issue, vault: Vault, copied: PairedCopy) -> None:
    machine = peer.Machine()
    assert register(issue(), machine).status_code == 201
    answer, row = machine.answer, Machine.objects.get()
    base = "https://localhost:8443"
    assert answer["machine"] == {
        "id": str(row.pk),
        "name": "hr-db-02",
        "vault_id": str(vault.pk),
        "state": "Registered",
    }
    assert answer["vault"] == {
        "id": str(vault.pk),
        "name": "Payroll",
        "subscription": "Default",
        "region": "Local A",
    }
    assert answer["repositories"] == [
        {"region": "Local A", "url": f"{base}/local-a/{vault.pk}/{row.pk}/", "read_only": False},
        {"region": "Local B", "url": f"{base}/local-b/{vault.pk}/{row.pk}/", "read_only": True},
    ]
    chain = certificates.read_chain(answer["certificate"])
    certificates.require_chain(chain, roots=certificates.read_chain(answer["ca_certificates"]), at=timezone.now())
    assert certificates.profile_of(chain[0]) == Profile(Kind.MACHINE, row.pk)
    assert keys.digest(certificates.public_key(chain[0])) == keys.digest(machine.key.public_key())
    renew_after = datetime.fromisoformat(answer["renew_after"])
    assert chain[0].not_valid_after_utc - renew_after == timedelta(days=6)


def test_success_writes_the_facts(issue: Issue, vault: Vault, staff: User) -> None:
    document = issue(machines=3)
    for name in ("first", "second"):
        assert register(document, peer.Machine(name)).status_code == 201
    vault.refresh_from_db()
    assert (vault.machine_count, vault.redundancy_locked_by) == (2, "first")
    assert Credential.objects.get().machines_used == 2
    first = Machine.objects.get(name="first")
    assert vault.redundancy_locked_at == first.registered_at
    assert (first.address, first.platform) == ("192.0.2.9", peer.PLATFORM)
    entries = AuditEvent.objects.filter(via="agent").order_by("id")
    assert [(entry.action, entry.actor_label, entry.vault_id) for entry in entries] == [
        ("machine:register", "machine first", vault.pk),
        ("vault:lock-redundancy", "machine first", vault.pk),
        ("machine:register", "machine second", vault.pk),
    ]
    told = Notification.objects.get(key=f"machine-register:{first.pk}")
    assert told.title == 'Machine "first" registered with vault "Payroll".'
    assert told.step.startswith("From 192.0.2.9, with the credential that staff downloaded at")
    assert told.subscription == vault.subscription


def test_repeating_gives_the_same_machine_although_the_credential_is_used_up(issue: Issue, vault: Vault) -> None:
    document, machine = issue(), peer.Machine()
    assert register(document, machine).status_code == 201
    first = machine.answer
    assert register(document, machine).status_code == 200
    assert machine.answer == first
    vault.refresh_from_db()
    assert (vault.machine_count, Machine.objects.count(), Credential.objects.get().machines_used) == (1, 1, 1)


@pytest.mark.parametrize("change", ["expired", "replaced", "ended", "issuer"])
def test_repeating_gives_the_same_machine_although_the_credential_is_over(
    issue: Issue, vault: Vault, staff: User, change: str
) -> None:
    """The answer may have been lost; another key or name is refused as ever."""
    document, machine = issue(machines=2), peer.Machine()
    assert register(document, machine).status_code == 201
    first = machine.answer
    match change:
        case "expired":
            Credential.objects.update(expires_at=timezone.now())
        case "replaced":
            issue()
        case "ended":
            vault_credentials.end(vault.pk, actor=as_actor(staff))
        case _:
            Membership.objects.all().delete()
    assert register(document, machine).status_code == 200
    assert machine.answer == first
    code = "credential_expired" if change == "expired" else "credential_superseded"
    for other in (peer.Machine("other", machine.key), peer.Machine()):
        refused(register(document, other), 403, code)
    assert (Machine.objects.count(), MachineCertificate.objects.count()) == (1, 1)


@pytest.mark.parametrize("change", ["key", "name"])
def test_repeating_with_another_key_or_name_is_another_registration(issue: Issue, change: str) -> None:
    document, machine = issue(), peer.Machine()
    assert register(document, machine).status_code == 201
    other = peer.Machine("other", machine.key) if change == "name" else peer.Machine()
    refused(register(document, other), 403, "credential_used_up")


def test_refusals_are_noted_once_in_a_while(issue: Issue, vault: Vault) -> None:
    document = issue()
    Credential.objects.update(expires_at=timezone.now())
    for _ in range(3):
        register(document, peer.Machine())
    register(document, peer.Machine("another"))
    rows = RefusedRegistration.objects.order_by("id").values_list("name", "code", "address", "vault_id")
    assert list(rows) == [
        ("hr-db-02", "credential_expired", "192.0.2.9", vault.pk),
        ("another", "credential_expired", "192.0.2.9", vault.pk),
    ]
    entries = AuditEvent.objects.filter(refused=True)
    assert {(entry.action, entry.vault_id) for entry in entries} == {("machine:register", vault.pk)}
    assert entries.count() == 2


def test_strangers_are_noted_sparingly(db: None) -> None:
    for _ in range(3):
        response = peer.send("register", b"junk")
        refused(response, 403, "credential_invalid", begins="Invalid vault credentials provided.")
    entry = AuditEvent.objects.get()
    assert (entry.action, entry.refused, entry.address) == ("agent-message:refuse", True, "192.0.2.9")


def test_registering_costs_a_fixed_number_of_queries(
    issue: Issue, machine: peer.Machine, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    holder = peer.Holder.of(issue())
    body = holder.sign(json.dumps(holder.payload("register", **peer.Machine("another").registration())).encode())
    with django_assert_num_queries(25):
        assert peer.send("register", body).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_last_place_is_taken_once(issue: Issue, vault: Vault) -> None:
    document = issue(machines=3)
    machines = [peer.Machine(f"machine-{number}") for number in range(8)]
    acts = [lambda machine=machine: register(document, machine).status_code for machine in machines]
    assert sorted(at_once(acts), key=str) == [201] * 3 + [403] * 5
    vault.refresh_from_db()
    assert (vault.machine_count, Machine.objects.count(), Credential.objects.get().machines_used) == (3, 3, 3)


@pytest.mark.django_db(transaction=True)
def test_same_registration_at_once_is_one_machine(issue: Issue) -> None:
    document, machine = issue(), peer.Machine()
    statuses = at_once([lambda: register(document, machine).status_code for _ in range(5)])
    assert sorted(statuses, key=str) == [200] * 4 + [201]
    assert (Machine.objects.count(), MachineCertificate.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_of_registration_and_change_of_redundancy_one_wins(
    issue: Issue, vault: Vault, staff: User, attempt: int
) -> None:
    document, machine = issue(), peer.Machine()
    registered, changed = at_once(
        [
            lambda: register(document, machine).status_code,
            lambda: redundancy.change(vault.pk, actor=as_actor(staff), redundancy="local").redundancy,
        ]
    )
    assert registered == 201
    vault.refresh_from_db()
    assert vault.redundancy_locked
    if isinstance(changed, RedundancyLocked):
        assert vault.redundancy == "geo"
    else:
        assert (changed, vault.redundancy) == ("local", "local")
    assert len(machine.answer["repositories"]) == 1


@pytest.mark.django_db(transaction=True)
def test_registration_while_the_credential_is_replaced(issue: Issue) -> None:
    document, machine = issue(), peer.Machine()
    status, _ = at_once([lambda: register(document, machine).status_code, issue])
    assert status in {201, 403}
    assert Machine.objects.count() == (1 if status == 201 else 0)
