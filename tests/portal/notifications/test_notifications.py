"""The notification area: who sees what, for how long, how often it is asked for, and putting entries away."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from portal.accounts.models import Membership, Subscription, User
from portal.notifications.current import FEW, current_of
from portal.notifications.models import Notification
from portal.notifications.publish import publish, withdraw
from portal.notifications.queries import area_of
from tests.factories import member_of, person
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
    return [entry.key for heading in area_of(user).parts for entry in heading.entries]


def line_of(user: User) -> str:
    line = area_of(user).line
    return line.key if line else ""


def until(user: User) -> dict[str, str]:
    """What the forms of the area carry: what the person saw."""
    area = area_of(user)
    assert area.completed_until
    return {"until": area.completed_until.isoformat()}


def test_a_second_failure_did_not_take_the_time_since_the_first(staff: User) -> None:
    tell("failed", State.FAILED, hours=3, user=staff)
    publish("failed", state=State.FAILED, title="Failed again", user=staff)
    entry = Notification.objects.get(key="failed")
    assert entry.finished_at is not None
    assert entry.finished_at - entry.started_at < timedelta(minutes=1)
    tell("long", State.RUNNING, hours=3, user=staff)
    publish("long", state=State.FAILED, title="Failed after all", user=staff)
    entry = Notification.objects.get(key="long")
    assert entry.finished_at is not None
    assert entry.finished_at - entry.started_at > timedelta(hours=2)


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


@pytest.mark.parametrize("who", ["staff", "outsider", "approver", "both", "many"])
def test_the_area_and_the_list_agree_on_the_audience(
    who: str, staff: User, outsider: User, approver: User, subscription: Subscription
) -> None:
    both, many = member_of(subscription, "both", is_approver=True), person("many")
    for number in range(FEW + 1):
        Membership.objects.create(user=many, subscription=Subscription.objects.create(name=f"Team {number}"))
    users = {"staff": staff, "outsider": outsider, "approver": approver, "both": both, "many": many}
    for state in State:
        for user in users.values():
            tell(f"{state} of {user}", state, user=user)
        for owner in Subscription.objects.all():
            tell(f"{state} of {owner}", state, subscription=owner)
            tell(f"{state} of {owner} and approvers", state, subscription=owner, for_approvers=True)
        tell(f"{state} of {both} thrice", state, user=both, subscription=subscription, for_approvers=True)
        tell(f"{state} of approvers", state, for_approvers=True)
        tell(f"{state} of nobody", state)
    current = current_of(users[who], timezone.now(), most=1000, counted=1000)
    expected = Notification.objects.visible_to(users[who])
    for part, states in (
        (current.running, ["running"]),
        (current.needs, ["failed", "attention"]),
        (current.ended, ["succeeded", "info"]),
    ):
        keys = set(expected.filter(state__in=states).values_list("key", flat=True))
        assert (sorted(row.key for row in part.entries), part.number) == (sorted(keys), len(keys))
        assert keys


def test_the_tag_is_of_what_is_shown_and_of_how_much_is_not(staff: User) -> None:
    for number in range(6):
        tell(f"no {number}", hours=number, user=staff)
    before = area_of(staff)
    assert area_of(staff).tag == before.tag
    tell("no 6", hours=7, user=staff)
    after = area_of(staff)
    assert [row.key for row in after.current.ended.entries] == [row.key for row in before.current.ended.entries]
    assert after.tag != before.tag


def test_the_line_says_what_runs_then_what_ended_well_then_what_needs_somebody(staff: User) -> None:
    assert line_of(staff) == ""
    tell("failed", State.FAILED, user=staff, hours=0.1)
    assert line_of(staff) == "failed"
    tell("well", user=staff, hours=0.2)
    assert line_of(staff) == "well"
    tell("runs", State.RUNNING, user=staff, hours=3)
    assert line_of(staff) == "runs"
    tell("runs too", State.RUNNING, user=staff, hours=2)
    assert (line_of(staff), area_of(staff).summary) == ("runs too", ["1 needs you", "2 running", "1 ended"])


def test_the_list_has_what_needs_somebody_first_each_part_the_latest_first(staff: User) -> None:
    for number, state in enumerate((State.SUCCEEDED, State.FAILED, State.RUNNING) * 2):
        tell(f"{state} {number}", state, user=staff, hours=10 - number)
    assert shown_to(staff) == ["failed 4", "failed 1", "running 5", "running 2", "succeeded 3", "succeeded 0"]


def test_four_of_each_are_shown_and_the_others_counted(staff: User) -> None:
    for number in range(8):
        tell(f"n{number}", user=staff, hours=number)
    assert shown_to(staff) == ["n0", "n1", "n2", "n3"]
    assert area_of(staff).summary == ["8 ended"]
    assert 'href="/notifications/?show=ended">4 more' in window(staff).get(AREA).content.decode()


@pytest.mark.parametrize(("number", "counted", "more"), [(50, "50 ended", "46"), (51, "50+ ended", "50+")])
def test_counting_stops_at_fifty(number: int, counted: str, more: str, staff: User) -> None:
    for each in range(number):
        tell(f"n{each}", user=staff)
    area = area_of(staff)
    assert (area.summary, [heading.more for heading in area.parts]) == ([counted], [more])


@pytest.mark.parametrize(
    ("state", "hours", "there"),
    [
        (State.SUCCEEDED, 23.9, True),
        (State.SUCCEEDED, 24.1, False),
        (State.INFO, 24.1, False),
        (State.ATTENTION, 13.9 * 24, True),
        (State.FAILED, 13.9 * 24, True),
        (State.FAILED, 14.1 * 24, False),
        (State.RUNNING, 13.9 * 24, True),
        (State.RUNNING, 14.1 * 24, False),
    ],
)
def test_how_long_entries_stand(state: Notification.State, hours: float, there: bool, staff: User) -> None:
    tell("one", state, user=staff, hours=hours)
    assert (shown_to(staff) == ["one"]) == there
    assert "Title of one" in text(window(staff).get("/notifications/"))


@pytest.mark.parametrize(("state", "seconds"), [(State.RUNNING, 1), (State.SUCCEEDED, 5)])
def test_it_is_asked_for_often_only_while_something_runs(state: Notification.State, seconds: int, staff: User) -> None:
    tell("one", state, user=staff)
    assert f'hx-trigger="every {seconds}s, refresh"' in window(staff).get(AREA).content.decode()


def test_an_empty_area_still_asks(staff: User) -> None:
    html = window(staff).get(AREA).content.decode()
    assert 'hx-trigger="every 5s, refresh"' in html
    assert "<li" not in html
    assert "notification-line" not in html


def test_a_success_that_was_seen_leaves_for_good_and_is_still_listed(staff: User, subscription: Subscription) -> None:
    other = member_of(subscription, "other")
    tell("older", subscription=subscription, hours=1)
    tell("one", subscription=subscription)
    client = window(staff)
    assert 'id="notification-seen"' in client.get(AREA).content.decode()
    response = client.post("/notifications/seen/", until(staff), headers=HTMX)
    assert (response.status_code, response["ETag"]) == (200, area_of(staff).tag)
    assert (shown_to(staff), shown_to(other)) == ([], ["one", "older"])
    assert "Title of one" in text(client.get("/notifications/"))
    tell("two", subscription=subscription)
    assert shown_to(staff) == ["two"]


def test_what_is_for_information_leaves_the_line_when_seen_and_stays_counted(staff: User) -> None:
    tell("info", State.INFO, user=staff)
    assert line_of(staff) == "info"
    window(staff).post("/notifications/seen/", until(staff))
    assert (line_of(staff), area_of(staff).summary) == ("", ["1 ended"])


@pytest.mark.parametrize("state", [State.FAILED, State.ATTENTION, State.RUNNING])
def test_what_needs_somebody_does_not_leave_by_itself(state: Notification.State, staff: User) -> None:
    tell("one", state, user=staff)
    client = window(staff)
    assert 'id="notification-seen"' not in client.get(AREA).content.decode()
    client.post("/notifications/seen/", {"until": timezone.now().isoformat()})
    assert (line_of(staff), shown_to(staff)) == ("one", ["one"])


def test_what_ended_after_the_page_was_made_is_not_taken_for_seen(staff: User) -> None:
    tell("one", user=staff, hours=0.1)
    saw = until(staff)
    tell("two", user=staff)
    client = window(staff)
    client.post("/notifications/seen/", saw)
    assert shown_to(staff) == ["two"]
    client.post("/notifications/dismiss/", saw)
    assert shown_to(staff) == ["two"]


def test_nobody_can_have_seen_the_future_nor_unsee(staff: User) -> None:
    client = window(staff)
    client.post("/notifications/seen/", {"until": (timezone.now() + timedelta(hours=5)).isoformat()})
    tell("one", user=staff)
    assert shown_to(staff) == ["one"]
    client.post("/notifications/seen/", until(staff))
    client.post("/notifications/seen/", {"until": (timezone.now() - timedelta(hours=5)).isoformat()})
    assert shown_to(staff) == []


@pytest.mark.parametrize(
    "value", ["", "yesterday", "2026-11-25T10:00:00", "2026-99-99T10:00:00Z", "0001-01-01T00:00:00+23:59", "\0"]
)
def test_a_time_that_is_none_is_refused(value: str, staff: User) -> None:
    for path in ("/notifications/seen/", "/notifications/dismiss/"):
        assert window(staff).post(path, {"until": value}).status_code == 422


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


def test_a_poll_costs_two_queries_beside_the_session(
    staff: User, subscription: Subscription, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        tell(f"n{number}", subscription=subscription)
    client = window(staff)
    with django_assert_num_queries(4):  # session, person, how far they have read, entries
        response = client.get(AREA, headers=HTMX)
    assert "50+ ended" in text(response)
    with django_assert_num_queries(4):
        assert client.get(AREA, headers={**HTMX, "If-None-Match": response["ETag"]}).status_code == 304


def test_entries_show_all_that_people_need(staff: User) -> None:
    publish("r", state=State.RUNNING, title='Creating vault "A<b>"', step="step 4 of 5", progress=80, user=staff)
    publish("f", state=State.FAILED, title="Failed", step="Press Retry.", url="/vaults/", user=staff)
    response = window(staff).get(AREA)
    html = response.content.decode()
    assert inline(response) == []
    assert "<strong>Creating vault &quot;A&lt;b&gt;&quot;</strong>" in html
    assert '<progress max="100" value="80"' in html
    assert len(re.findall(r"data-since=", html)) == 2  # in the line and in the list
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
    client.post("/notifications/dismiss/", {"until": timezone.now().isoformat()})
    assert shown_to(staff) == ["one"]
    assert f"dismiss-{entry.pk}" not in client.get(AREA).content.decode()


def test_all_that_ended_well_is_dismissed_at_once_and_what_needs_somebody_stays(staff: User, outsider: User) -> None:
    for number in range(7):
        tell(f"n{number}", State.INFO if number % 2 else State.SUCCEEDED, user=staff)
    for state in (State.RUNNING, State.FAILED, State.ATTENTION):
        tell(state, state, user=staff)
    tell("other", user=outsider)
    client = window(staff)
    saw = until(staff)
    for _ in range(2):
        client.post("/notifications/dismiss/", saw)
    assert (sorted(shown_to(staff)), shown_to(outsider)) == (["attention", "failed", "running"], ["other"])


@pytest.mark.parametrize(
    ("came_from", "to"),
    [
        ("http://testserver/vaults/?q=a", "/vaults/?q=a"),
        ("https://elsewhere.example/", "/notifications/"),
        ("", "/notifications/"),
    ],
)
def test_without_scripts_one_gets_back_to_the_page(came_from: str, to: str, staff: User) -> None:
    response = window(staff).post(
        "/notifications/dismiss/", {"until": timezone.now().isoformat()}, headers={"Referer": came_from}
    )
    assert (response.status_code, response["Location"]) == (302, to)


def test_nothing_changes_by_get(staff: User) -> None:
    entry = tell("one", user=staff)
    client = window(staff)
    assert client.get(f"/notifications/{entry.pk}/dismiss/").status_code == 405
    assert client.get("/notifications/dismiss/").status_code == 405
    assert client.get("/notifications/seen/").status_code == 405
    assert shown_to(staff) == ["one"]


def test_the_list_has_pages_and_parts(staff: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(60):
        tell(f"n{number:02}", State.RUNNING if number < 2 else State.SUCCEEDED, user=staff, hours=number)
    client = window(staff)
    client.get("/notifications/")
    with django_assert_num_queries(6):  # session, person, page; subscriptions, numbers of two kinds
        first = client.get("/notifications/")
    assert [entry.key for entry in first.context["page"].items][:2] == ["n00", "n01"]
    second = client.get(f"/notifications/?after={first.context['page'].next}")
    assert [entry.key for entry in second.context["page"].items] == [f"n{number}" for number in range(50, 60)]
    running = client.get("/notifications/?show=running")
    assert [entry.key for entry in running.context["page"].items] == ["n00", "n01"]
    assert len(client.get("/notifications/?show=ended&after=").context["page"].items) == 50
    assert client.get("/notifications/?after=made-up").status_code == 422


@pytest.mark.parametrize(("query", "words"), [("", "Nothing yet"), ("?show=running", "No notifications of this kind")])
def test_an_empty_list_says_what_it_is_for(query: str, words: str, staff: User) -> None:
    assert words in text(window(staff).get(f"/notifications/{query}"))


def test_a_long_text_is_cut_after_a_word_with_a_sign_of_it(staff: User) -> None:
    """As it was found: the cut went through the name of an option."""
    tell("long", user=staff, step="word " * 59 + "--snapshot ID")
    assert Notification.objects.get().step == "word " * 58 + "word…"
    tell("long", user=staff, step="x" * 400)
    assert Notification.objects.get().step == "x" * 299 + "…"
    tell("long", user=staff, step="x" * 300)
    assert Notification.objects.get().step == "x" * 300
