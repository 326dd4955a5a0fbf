"""vaults.credentials.possession: a credential for a key made elsewhere, for those who prove that they hold it."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone

from portal.accounts.models import Subscription, User
from portal.audit.models import AuditEvent
from portal.pki.crypto import certificates, keys
from tests.at_once import at_once
from tests.factories import as_actor, member_of
from tests.vaults.credentials.webcrypto import SHA256, raw, spki, text
from tests.vaults.pages import call, refused, window
from vaults import tasks
from vaults.credentials import possession
from vaults.credentials.issuance import Issued
from vaults.models import Credential, CredentialChallenge, Vault

pytestmark = pytest.mark.django_db
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Holder:
    """Somebody's browser: a key, and what it sends."""

    def __init__(self, user: User, vault: Vault) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.vault, self.client = vault, window(user)

    def challenge(self) -> str:
        response = call(self.client, "POST", f"vaults/{self.vault.pk}/credentials/challenge")
        assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
        answer: str = response.json()["challenge"]
        return answer

    def message(self, challenge: str) -> str:
        return f"strongroom-credential-1\n{self.vault.pk}\n{challenge}\n{spki(self.key)}"

    def claim(self, challenge: str | None = None) -> dict[str, Any]:
        challenge = challenge or self.challenge()
        proof = text(raw(self.key, self.message(challenge)))
        return {"public_key": spki(self.key), "proof": proof, "challenge": challenge, "machines": 3}

    def send(self, body: dict[str, Any]) -> Any:
        return call(self.client, "POST", f"vaults/{self.vault.pk}/credentials", body)


@pytest.fixture
def holder(staff: User, vault: Vault) -> Holder:
    return Holder(staff, vault)


def refuses(holder: Holder, body: dict[str, Any], *fields: str) -> None:
    """It is refused as `invalid`, because of these fields, and issues nothing."""
    before = Credential.objects.count()
    problem = refused(holder.send(body), 422, "invalid")
    assert list(problem["errors"]) == list(fields)
    assert Credential.objects.count() == before


def test_the_holder_gets_the_file_without_the_key(holder: Holder, staff: User) -> None:
    response = holder.send(holder.claim())
    document = response.json()
    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    assert "private_key" not in document
    leaf = certificates.read_chain(document["certificate"])[0]
    assert certificates.public_key(leaf) == holder.key.public_key()
    credential = Credential.objects.get()
    assert (credential.key_origin, credential.machines_limit, credential.issued_by) == ("browser", 3, staff)
    assert credential.key_digest == keys.digest(holder.key.public_key())
    assert AuditEvent.objects.get(action="credential:issue").detail["key"] == "browser"
    assert not CredentialChallenge.objects.exists()


def test_a_proof_in_der_is_as_good(holder: Holder) -> None:
    claim = holder.claim()
    claim["proof"] = text(holder.key.sign(holder.message(claim["challenge"]).encode(), SHA256))
    assert holder.send(claim).status_code == 201


@pytest.mark.parametrize(("who", "status"), [("outsider", 404), ("approver", 403), ("auditor", 403)])
def test_only_members_get_a_challenge(who: str, status: int, vault: Vault, request: pytest.FixtureRequest) -> None:
    client = window(request.getfixturevalue(who))
    code = {404: "not_found", 403: "not_allowed"}[status]
    refused(call(client, "POST", f"vaults/{vault.pk}/credentials/challenge"), status, code)
    assert not CredentialChallenge.objects.exists()


class TestChallenge:
    """It is good once, for ten minutes, for one person and one vault."""

    def test_a_used_one_is_refused(self, holder: Holder) -> None:
        claim = holder.claim()
        assert holder.send(claim).status_code == 201
        refuses(holder, claim, "challenge")
        holder.key = ec.generate_private_key(ec.SECP256R1())
        refuses(holder, holder.claim(claim["challenge"]), "challenge")

    def test_an_old_one_is_refused(self, holder: Holder) -> None:
        claim = holder.claim()
        assert timedelta(minutes=9, seconds=50) < CredentialChallenge.objects.get().expires_at - timezone.now()
        CredentialChallenge.objects.update(expires_at=timezone.now())
        refuses(holder, claim, "challenge")

    def test_another_persons_is_refused(self, holder: Holder, vault: Vault, subscription: Subscription) -> None:
        colleague = member_of(subscription)
        refuses(holder, holder.claim(Holder(colleague, vault).challenge()), "challenge")

    def test_another_vaults_is_refused(self, holder: Holder, staff: User, make_vault: Callable[..., Vault]) -> None:
        refuses(holder, holder.claim(Holder(staff, make_vault("Other")).challenge()), "challenge")

    @pytest.mark.parametrize("challenge", ["x" * 43, " ", "\u00e4", "%00"])
    def test_one_that_we_never_gave_is_refused(self, holder: Holder, challenge: str) -> None:
        refuses(holder, holder.claim(challenge), "challenge")

    def test_a_refusal_leaves_it_usable(self, holder: Holder, vault: Vault) -> None:
        claim = holder.claim()
        refuses(holder, {**claim, "proof": text(bytes(64))}, "proof")
        Vault.objects.update(state="Failed")
        refused(holder.send(claim), 409, "vault_not_active")
        Vault.objects.update(state="Active")
        assert holder.send(claim).status_code == 201

    def test_old_ones_are_swept(self, holder: Holder) -> None:
        old, fresh = holder.challenge(), holder.challenge()
        CredentialChallenge.objects.filter(text=old).update(expires_at=timezone.now())
        tasks.sweep()
        assert CredentialChallenge.objects.get().text == fresh


class TestProof:
    """It is by the key, over this vault, this challenge and this key."""

    @pytest.mark.parametrize("place", [0, 31, 32, 63])
    def test_a_flipped_bit_is_refused(self, holder: Holder, place: int) -> None:
        claim = holder.claim()
        proof = bytearray(base64.b64decode(claim["proof"]))
        proof[place] ^= 1
        refuses(holder, {**claim, "proof": text(bytes(proof))}, "proof")

    @pytest.mark.parametrize("part", range(4))
    def test_a_proof_of_something_else_is_refused(self, holder: Holder, part: int) -> None:
        claim = holder.claim()
        parts = holder.message(claim["challenge"]).split("\n")
        parts[part] = parts[part].swapcase()
        refuses(holder, {**claim, "proof": text(raw(holder.key, "\n".join(parts)))}, "proof")

    def test_anothers_key_is_not_proven_by_ours(self, holder: Holder, staff: User, vault: Vault) -> None:
        victim = Holder(staff, vault)
        claim = holder.claim()
        signed = victim.message(claim["challenge"])
        refuses(holder, {**claim, "public_key": spki(victim.key), "proof": text(raw(holder.key, signed))}, "proof")

    @pytest.mark.parametrize("halves", [(0, 0), (0, 1), (1, 0), (ORDER, ORDER), (2**256 - 1, 2**256 - 1)])
    def test_numbers_that_are_no_signature_are_refused(self, holder: Holder, halves: tuple[int, int]) -> None:
        proof = b"".join(half.to_bytes(32, "big") for half in halves)
        refuses(holder, {**holder.claim(), "proof": text(proof)}, "proof")

    @pytest.mark.parametrize("proof", ["", "=", "\u00e4", "A" * 88, text(b"x" * 63), text(b"x" * 65), "-_" * 43])
    def test_nonsense_is_refused(self, holder: Holder, proof: str) -> None:
        refuses(holder, {**holder.claim(), "proof": proof}, "proof")


class TestPublicKey:
    def test_a_key_has_one_credential(self, holder: Holder, staff: User, make_vault: Callable[..., Vault]) -> None:
        assert holder.send(holder.claim()).status_code == 201
        refuses(holder, holder.claim(), "public_key")
        elsewhere = Holder(staff, make_vault("Other"))
        elsewhere.key = holder.key
        refuses(elsewhere, elsewhere.claim(), "public_key")

    @pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1()])
    def test_other_curves_are_refused(self, holder: Holder, curve: ec.EllipticCurve) -> None:
        claim = holder.claim()
        refuses(holder, {**claim, "public_key": spki(ec.generate_private_key(curve))}, "public_key")

    def test_other_texts_for_the_same_key_are_refused(self, holder: Holder) -> None:
        claim, key = holder.claim(), spki(holder.key)
        loose = key[:-3] + chr(ord(key[-3]) + 1) + "=="  # bits behind the end, which decoders pass over
        others = [spki(holder.key, "compressed"), key + "\n", loose, text(base64.b64decode(key) + b"\0")]
        for other in others:
            message = holder.message(claim["challenge"]).replace(key, other)
            refuses(holder, {**claim, "public_key": other, "proof": text(raw(holder.key, message))}, "public_key")

    def test_other_kinds_of_keys_are_refused(self, holder: Holder) -> None:
        ed25519 = Ed25519PrivateKey.generate()
        for other in ("", "AAAA", "\u00e4", spki(ed25519)):
            refuses(holder, {**holder.claim(), "public_key": other}, "public_key")

    @pytest.mark.parametrize("field", ["public_key", "proof", "challenge"])
    def test_a_part_that_is_missing_is_missed(self, holder: Holder, field: str) -> None:
        """Never is a key made by the portal for somebody who meant to bring one."""
        claim = holder.claim()
        del claim[field]
        proof_breaks = field == "challenge"
        refuses(holder, claim, "proof" if proof_breaks else field)
        refuses(holder, {field: ""}, "public_key")
        refuses(holder, {**claim, field: None}, field)
        refuses(holder, {**claim, field: "A" * 201}, field)


def test_the_number_of_machines_is_checked_here_too(holder: Holder, staff: User) -> None:
    refuses(holder, {**holder.claim(), "machines": 501}, "machines")


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_exactly_the_last_is_valid(vault: Vault, staff: User) -> None:
    """Twenty proofs with a challenge each; and twenty with one challenge, of which one is taken."""
    own = [_claim(vault, staff) for _ in range(20)]
    issued = [outcome for outcome in _all_at_once(vault, staff, own) if isinstance(outcome, Issued)]
    rows = list(Credential.objects.order_by("issued_at"))
    assert len(issued) == len({row.issued_at for row in rows}) == 20
    assert [row.end for row in rows] == ["replaced"] * 19 + [""]
    shared = [_claim(vault, staff)] * 20
    outcomes = _all_at_once(vault, staff, shared)
    assert sum(isinstance(outcome, Issued) for outcome in outcomes) == 1
    assert {getattr(outcome, "code", "issued") for outcome in outcomes} == {"issued", "invalid"}


@pytest.mark.django_db(transaction=True)
def test_one_key_in_two_vaults_at_once_has_one_credential(
    make_vault: Callable[..., Vault], staff: User, subscription: Subscription
) -> None:
    key, vaults = ec.generate_private_key(ec.SECP256R1()), [make_vault("One"), make_vault("Two")]
    claims = [_claim(vault, staff, key) for vault in vaults]
    outcomes = at_once([_press(vault, staff, claim) for vault, claim in zip(vaults, claims, strict=True)])
    assert sorted(getattr(outcome, "code", "issued") for outcome in outcomes) == ["invalid", "issued"]
    assert Credential.objects.count() == 1


def _claim(vault: Vault, user: User, key: ec.EllipticCurvePrivateKey | None = None) -> possession.Claim:
    key = key or ec.generate_private_key(ec.SECP256R1())
    challenge = possession.new(vault.pk, actor=as_actor(user)).text
    message = f"strongroom-credential-1\n{vault.pk}\n{challenge}\n{spki(key)}"
    return possession.Claim(spki(key), text(raw(key, message)), challenge)


def _press(vault: Vault, user: User, claim: possession.Claim) -> Callable[[], Issued]:
    return lambda: possession.issue(vault.pk, claim, actor=as_actor(user), machines=1)


def _all_at_once(vault: Vault, user: User, claims: list[possession.Claim]) -> list[Issued | Exception]:
    return at_once([_press(vault, user, claim) for claim in claims])
