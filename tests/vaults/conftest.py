"""What the tests of vaults share: regions as `sync_regions` makes them."""

from io import StringIO

import pytest
from django.core.management import call_command

from portal.accounts.actors import Actor
from portal.accounts.models import User
from tests.conftest import as_actor
from vaults.models import Region


@pytest.fixture
def regions(db: None) -> tuple[Region, Region]:
    """`Local A` and `Local B`, paired, from the default regions file."""
    call_command("sync_regions", verbosity=0, stdout=StringIO())
    return Region.objects.get(slug="local-a"), Region.objects.get(slug="local-b")


@pytest.fixture
def requester(staff: User) -> Actor:
    return as_actor(staff)


@pytest.fixture
def decider(approver: User) -> Actor:
    return as_actor(approver)
