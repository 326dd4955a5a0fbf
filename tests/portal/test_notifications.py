"""The notification area: who sees what, for how long, how often it is asked for, and putting entries away."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from portal.accounts.models import Membership, Subscription, User
from portal.notifications.models import Dismissal, Notification
from portal.notifications.publish import publish, withdraw
from portal.notifications.queries import area_of, visible_to
from portal.notifications.standing import standing_of
from tests.conftest import person
from tests.portal.pages import HTMX, inline, text, window

State = Notification.State
AREA = "/notifications/area/"


def tell(key: str, state: Notification.State = State.SUCCEEDED, *, hours: float = 0, **values: Any) -> Notification:
    """Publish, as if so many hours ago."""
    publish(key, state=state, title=f"Title of {key}", **values)
    at = timezone.now() - timedelta(hours=hours)
    Notification.objects.filter(key=key).update(updated_at=at, started_at=at)
    return Notification.objects.get(key=key)


def shown_to(user: User) -> list[str]:
    return [entry.key for entry in area_of(user).entries]


@pytest.mark.parametrize(
    ("audience", "who"),
    [("subscription", ["staff"]), ("user", ["auditor"]), ("approvers", ["approver"])],
)
def test_entries_reach_their_audience_only(
    audience: str,
    who: list[str],
    subscription: Subscription,
    staff: User,
    outsider: User,
    approver: User,
    auditor: User,
    administrator: User,
) -> None:
    audiences: dict[str, dict[str, Any]] = {
        "subscription": {"subscription": subscription},
        "user": {"user": auditor},
        "approvers": {"for_approvers": True},
    }
    entry = tell("one", **audiences[audience])
    for user in (staff, outsider, approver, auditor, administrator):
        client, mine = window(user), user.username in who
        assert (shown_to(user) == ["one"]) == mine
        for path in (AREA, "/notifications/", "/accounts/"):
            assert ("Title of one" in client.get(path).content.decode()) == mine, (user, path)
        assert client.post(f"/notifications/{entry.pk}/dismiss/").status_code == (302 if mine else 404)


def test_a_membership_taken_away_takes_the_entries_away(subscription: Subscription, staff: User) -> None:
    tell("one", subscription=subscription)
    Membership.objects.all().delete()
    assert shown_to(staff) == []


@pytest.mark.parametrize("who", ["staff", "outsider", "approver", "both"])
def test_the_area_and_the_list_agree_on_the_audience(
    who: str, staff: User, outsider: User, approver: User, subscription: Subscription
) -> None:
    both = person("both", is_approver=True)
    Membership.objects.create(user=both, subscription=subscription)
    users = {"staff": staff, "outsider": outsider, "approver": approver, "both": both}
    for user in users.values():
        tell(f"of {user}", user=user)
    for owner in Subscription.objects.all():
        tell(f"of {owner}", subscription=owner)
    tell("of approvers", for_approvers=True)
    tell("of nobody")
    rows, number = standing_of(users[who], timezone.now())
    expected = set(visible_to(users[who]).values_list("key", flat=True))
    assert ({row.key for row in rows}, number) == (expected, len(expected))


def test_the_tag_is_of_what_is_shown_and_of_how_much_is_not(staff: User) -> None:
    for number in range(6):
        tell(f"no {number}", hours=number, user=staff)
    before = area_of(staff)
    tell("no 6", hours=7, user=staff)
    after = area_of(staff)
    assert ([row.key for row in after.entries], after.more) == ([row.key for row in before.entries], before.more + 1)
    assert after.tag != before.tag


def test_what_runs_comes_first_then_the_latest(staff: User) -> None:
    tell("old", user=staff, hours=3)
    tell("late", State.FAILED, user=staff, hours=1)
    tell("running", State.RUNNING, user=staff, hours=2)
    assert shown_to(staff) == ["running", "late", "old"]


def test_five_are_shown_and_the_others_counted(staff: User) -> None:
    for number in range(8):
        tell(f"n{number}", user=staff, hours=number)
    area = area_of(staff)
    assert ([entry.key for entry in area.entries], area.more) == (["n0", "n1", "n2", "n3", "n4"], 3)
    assert "3 more" in text(window(staff).get(AREA))


@pytest.mark.parametrize(
    ("state", "hours", "there"),
    [
        (State.SUCCEEDED, 23.9, True),
        (State.SUCCEEDED, 24.1, False),
        (State.ATTENTION, 24.1, False),
        (State.RUNNING, 24.1, True),
        (State.RUNNING, 7 * 24 + 1, False),
    ],
)
def test_how_long_entries_stand(state: Notification.State, hours: float, there: bool, staff: User) -> None:
    tell("one", state, user=staff, hours=hours)
    assert (shown_to(staff) == ["one"]) == there
    assert "Title of one" in text(window(staff).get("/notifications/"))


@pytest.mark.parametrize(("state", "seconds"), [(State.RUNNING, 1), (State.SUCCEEDED, 30)])
def test_it_is_asked_for_often_only_while_something_runs(state: Notification.State, seconds: int, staff: User) -> None:
    tell("one", state, user=staff)
    assert f'hx-trigger="every {seconds}s, refresh"' in window(staff).get(AREA).content.decode()


def test_an_empty_area_still_asks(staff: User) -> None:
    html = window(staff).get(AREA).content.decode()
    assert 'hx-trigger="every 30s, refresh"' in html
    assert "<li" not in html


def test_nothing_new_is_304_and_anything_new_is_not(staff: User, subscription: Subscription) -> None:
    client = window(staff)
    tell("one", State.RUNNING, user=staff)
    tag = client.get(AREA)["ETag"]
    assert f'data-etag="{tag.replace(chr(34), "&quot;")}"' in client.get("/accounts/").content.decode()

    def poll() -> Any:
        return client.get(AREA, headers={**HTMX, "If-None-Match": tag})

    response = poll()
    assert (response.status_code, response.content, response["ETag"]) == (304, b"", tag)
    publish("one", state=State.RUNNING, title="Title of one", progress=50, user=staff)
    assert poll().status_code == 200
    tag = poll()["ETag"]
    tell("two", subscription=subscription)
    assert poll().status_code == 200
    tag = poll()["ETag"]
    withdraw("two")
    assert poll().status_code == 200


def test_a_poll_costs_one_query_beside_the_session(
    staff: User, subscription: Subscription, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        tell(f"n{number}", subscription=subscription)
    client = window(staff)
    with django_assert_num_queries(3):  # session, person, entries
        response = client.get(AREA, headers=HTMX)
    assert "45 more" in text(response)
    with django_assert_num_queries(3):
        assert client.get(AREA, headers={**HTMX, "If-None-Match": response["ETag"]}).status_code == 304


def test_entries_show_all_that_people_need(staff: User) -> None:
    publish("r", state=State.RUNNING, title='Creating vault "A<b>"', step="step 4 of 5", progress=80, user=staff)
    publish("f", state=State.FAILED, title="Failed", step="Press Retry.", url="/vaults/", user=staff)
    response = window(staff).get(AREA)
    html = response.content.decode()
    assert inline(response) == []
    assert "<strong>Creating vault &quot;A&lt;b&gt;&quot;</strong>" in html
    assert '<progress max="100" value="80"' in html
    assert len(re.findall(r"data-since=", html)) == 1
    assert 'href="/vaults/">Open<' in html
    announced = re.findall(r'data-announce="([^"]*)"', html)
    assert sorted(announced) == ["Creating vault &quot;A&lt;b&gt;&quot;", "Failed Press Retry."]


def test_dismissed_entries_come_back_when_they_change(staff: User) -> None:
    entry = tell("one", State.FAILED, user=staff)
    client = window(staff)
    response = client.post(f"/notifications/{entry.pk}/dismiss/", headers=HTMX)
    assert (response.status_code, "Title of one" in text(response)) == (200, False)
    assert response["ETag"] == area_of(staff).tag
    publish("one", state=State.RUNNING, title="Title of one", user=staff)
    assert shown_to(staff) == ["one"]


def test_dismissing_is_for_oneself(staff: User, subscription: Subscription, approver: User) -> None:
    Membership.objects.create(user=approver, subscription=subscription)
    entry = tell("one", subscription=subscription)
    window(staff).post(f"/notifications/{entry.pk}/dismiss/")
    assert (shown_to(staff), shown_to(approver)) == ([], ["one"])


def test_what_runs_cannot_be_dismissed(staff: User) -> None:
    entry = tell("one", State.RUNNING, user=staff)
    client = window(staff)
    client.post(f"/notifications/{entry.pk}/dismiss/")
    client.post("/notifications/dismiss/")
    assert shown_to(staff) == ["one"]
    assert f"dismiss-{entry.pk}" not in client.get(AREA).content.decode()


def test_all_that_ended_is_dismissed_at_once(staff: User, outsider: User) -> None:
    for number in range(7):
        tell(f"n{number}", user=staff)
    tell("running", State.RUNNING, user=staff)
    tell("other", user=outsider)
    client = window(staff)
    for _ in range(2):
        client.post("/notifications/dismiss/")
    assert (shown_to(staff), shown_to(outsider), Dismissal.objects.count()) == (["running"], ["other"], 7)


@pytest.mark.parametrize(
    ("came_from", "to"),
    [
        ("http://testserver/vaults/?q=a", "http://testserver/vaults/?q=a"),
        ("https://elsewhere.example/", "/notifications/"),
        ("", "/notifications/"),
    ],
)
def test_without_scripts_one_gets_back_to_the_page(came_from: str, to: str, staff: User) -> None:
    response = window(staff).post("/notifications/dismiss/", headers={"Referer": came_from})
    assert (response.status_code, response["Location"]) == (302, to)


def test_nothing_changes_by_get(staff: User) -> None:
    entry = tell("one", user=staff)
    client = window(staff)
    assert client.get(f"/notifications/{entry.pk}/dismiss/").status_code == 405
    assert client.get("/notifications/dismiss/").status_code == 405
    assert shown_to(staff) == ["one"]


def test_the_list_has_pages_and_parts(staff: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(60):
        tell(f"n{number:02}", State.RUNNING if number < 2 else State.SUCCEEDED, user=staff, hours=number)
    client = window(staff)
    client.get("/notifications/")
    with django_assert_num_queries(6):  # session, person, page; subscriptions, area, number
        first = client.get("/notifications/")
    assert [entry.key for entry in first.context["page"].items][:2] == ["n00", "n01"]
    second = client.get(f"/notifications/?after={first.context['page'].next}")
    assert [entry.key for entry in second.context["page"].items] == [f"n{number}" for number in range(50, 60)]
    running = client.get("/notifications/?show=running")
    assert [entry.key for entry in running.context["page"].items] == ["n00", "n01"]
    assert len(client.get("/notifications/?show=ended&after=").context["page"].items) == 50
    assert client.get("/notifications/?after=made-up").status_code == 422


@pytest.mark.parametrize(("query", "words"), [("", "Nothing yet"), ("?show=running", "None of this kind")])
def test_an_empty_list_says_what_it_is_for(query: str, words: str, staff: User) -> None:
    assert words in text(window(staff).get(f"/notifications/{query}"))
