"""Open requests can be decided on after the canonical form of their content has changed, and when it changes back."""

import hashlib
import json

import pytest

from portal.accounts.models import User
from tests.factories import as_actor
from tests.migrating import migrated, newest_again, to_newest  # noqa: F401 - a fixture
from tests.vaults.factories import Ask
from vaults.models import VaultRequest
from vaults.requests import vault_requests

BEFORE = [("vaults", "0017_suspects")]
AFTER = [("vaults", "0018_digests_by_rfc_8785")]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("newest_again")]


def as_before(request: VaultRequest) -> str:
    """The digest in the form of the version before."""
    text = json.dumps(vault_requests.workflow.content(request), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def stored(request: VaultRequest) -> str:
    return VaultRequest.objects.values_list("digest", flat=True).get(pk=request.pk)


def test_both_ways(ask: Ask, approver: User) -> None:
    plain, accented, rejected = ask("Plain"), ask("Accented", reason="Löhne, Größe 3"), ask("Other", reason="Zölle")
    vault_requests.reject(rejected.pk, actor=as_actor(approver), comment="No.", digest=rejected.digest)
    digests = {one: stored(one) for one in (plain, accented, rejected)}
    assert as_before(accented) != digests[accented]

    migrated(BEFORE)
    assert [stored(one) for one in (plain, accented)] == [as_before(one) for one in (plain, accented)]
    assert stored(rejected) == digests[rejected]

    migrated(AFTER)
    assert {one: stored(one) for one in digests} == digests
    to_newest()
    vault_requests.approve(accented.pk, actor=as_actor(approver), comment="", digest=stored(accented))
