"""How many requests to replace machines one person may have open."""

from collections.abc import Callable

import pytest
from pytest_django import Settings

from agents.models import Machine, ReplacementRequest
from portal.accounts.models import User
from portal.core.errors import TooManyOpen
from portal.notifications.models import Dismissal, Notification
from tests.agents import peer, replacing
from tests.agents.peer import register

pytestmark = pytest.mark.django_db


def test_one_too_many_is_refused(issue: Callable[..., dict[str, object]], staff: User, settings: Settings) -> None:
    settings.OPEN_REQUESTS = 1
    document = issue(machines=2)
    for name in ("hr-db-01", "hr-db-02"):
        assert register(document, peer.Machine(name)).status_code == 201
    one, other = Machine.objects.order_by("name")
    asked = replacing.ask(staff, one.pk)
    assert replacing.ask(staff, one.pk) == asked  # the same again
    with pytest.raises(TooManyOpen):
        replacing.ask(staff, other.pk)
    assert ReplacementRequest.objects.count() == 1
    assert Dismissal.objects.get().user == staff
    assert Dismissal.objects.get().notification == Notification.objects.get(key=f"replacement:{asked.pk}")
