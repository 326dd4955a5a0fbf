"""The audit log: who reads it, what the filters find, what reading costs and leaves behind."""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from portal.accounts import tokens
from portal.accounts.authentication import Password
from portal.accounts.models import Subscription, User
from portal.audit import names, refusal_counters
from portal.audit.actions import Action
from portal.audit.charts import bars
from portal.audit.models import AppendOnly, AuditEvent, RefusalCounter
from portal.audit.queries import Day, Filter, actions, activity, events
from portal.audit.record import record, refusal, write_refusal_counts
from portal.core.actor import SYSTEM, Actor, Via
from tests.agents.factories import credential_of, machine_in
from tests.factories import PASSWORD, as_actor
from tests.portal.audit.entries import entry_of
from tests.portal.pages import inline, text, window
from vaults.models import Vault

API = "/api/v1/audit-events"


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def happen(action: str, who: str = "staff", at: datetime | None = None, **values: Any) -> AuditEvent:
    """An entry, as if written at that time."""
    event = entry_of(action, who, at=at, **values)
    event.save()
    return event


def seen(client: Client, query: str = "") -> list[str]:
    """The actions that the page lists, without those of reading."""
    page = client.get(f"/audit/?{query}").context["page"]
    return [event.action for event in page.items if event.action != "audit:read"]


@pytest.mark.parametrize("path", ["/audit/", API])
def test_only_auditors_read_it(path: str, staff: User, approver: User, administrator: User, auditor: User) -> None:
    happen("vault:active", target_label="Payroll-of-others")
    for user in (staff, approver, administrator):
        response = window(user).get(path)
        assert response.status_code == 403
        assert "Payroll-of-others" not in response.content.decode()
    assert not AuditEvent.objects.filter(action="audit:read").exists()
    assert window(auditor).get(path).status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_is_only_read(method: str, auditor: User) -> None:
    assert getattr(window(auditor), method)("/audit/").status_code == 405


def test_entries_do_not_change(db: None) -> None:
    event = happen("vault:active")
    with pytest.raises(AppendOnly):
        event.save()
    with pytest.raises(AppendOnly):
        event.delete()


def test_each_filter_finds_what_it_says(auditor: User, vault: Vault) -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    happen("vault:active", "worker", noon, vault_id=vault.pk, target_type="vault", target_label=vault.name)
    happen("machine:register", "hr-db-02", noon + timedelta(days=1), refused=True)
    happen("vault:failed", "worker", noon + timedelta(days=2), vault_id=uuid.uuid4())
    client = window(auditor)
    assert seen(client) == ["vault:failed", "machine:register", "vault:active"]
    assert seen(client, "person=worker") == ["vault:failed", "vault:active"]
    assert seen(client, "action=vault:active") == ["vault:active"]
    assert seen(client, f"vault={vault.pk}") == seen(client, "vault=payroll") == ["vault:active"]
    assert seen(client, "refused=on") == ["machine:register"]
    assert seen(client, "since=2026-11-21") == ["vault:failed", "machine:register"]
    assert seen(client, "until=2026-11-21") == ["machine:register", "vault:active"]
    assert seen(client, "since=2026-11-21&until=2026-11-21") == ["machine:register"]
    assert seen(client, "person=worker&action=machine:register") == []
    assert seen(client, "person=WORK") == []


def test_days_are_found_even_where_numbers_and_times_disagree(db: None) -> None:
    late = happen("late", at=datetime(2026, 11, 21, 0, 0, 1, tzinfo=UTC))
    early = happen("early", at=datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC))
    assert list(events(Filter(since=date(2026, 11, 21)))) == [late]
    assert list(events(Filter(until=date(2026, 11, 20)))) == [early]
    assert list(events(Filter(since=date(2027, 1, 1)))) == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("vault=Nowhere", "There is no vault of this name."),
        ("since=yesterday", "Enter a valid date."),
        ("since=2026-11-02&until=2026-11-01", "This is before the first day."),
        ("person=" + "x" * 201, "at most 200 characters"),
    ],
)
def test_a_wrong_filter_says_so_and_shows_nothing(query: str, words: str, auditor: User) -> None:
    happen("vault:active")
    response = window(auditor).get(f"/audit/?{query}")
    assert (response.status_code, words in text(response)) == (422, True)
    assert "See the message next to the field." in text(response)
    assert "finished setting up" not in text(response)
    assert inline(response) == []


@pytest.fixture
def registered(vault: Vault, staff: User, auditor: User) -> tuple[str, AuditEvent]:
    """The serial of a credential and the entry of the machine that it registered, among others."""
    serial, other = "25ca8793" + "0" * 28 + "d0c7", "25ca8794" + "0" * 32
    happen("credential:issue", target_type="credential", vault_id=vault.pk, detail={"serial": serial, "machines": 2})
    happen("credential:issue", target_type="credential", vault_id=vault.pk, detail={"serial": other})
    machine: dict[str, Any] = {"target_type": "machine", "target_id": str(uuid.uuid4()), "target_label": "hr-db-02"}
    entry = happen("machine:register", "machine hr-db-02", detail={"credential": serial}, vault_id=vault.pk, **machine)
    happen(
        "machine:register", "machine x", refused=True, detail={"credential": serial, "code": "clock_skew", "name": "x"}
    )
    happen("machine:register", "machine y", detail={"credential": other})
    return serial, entry


def test_which_machines_a_credential_registered(registered: tuple[str, AuditEvent], auditor: User) -> None:
    serial, entry = registered
    wanted = ["machine:register", "machine:register", "credential:issue"]
    client = window(auditor)
    for asked in (serial, serial.upper(), serial[:8], ":".join(serial[i : i + 2] for i in range(0, 40, 2))):
        assert seen(client, f"credential={asked}") == wanted
    assert seen(client, "credential=25ca879") == [*wanted[:1], *wanted, "credential:issue"]
    assert seen(client, f"machine={entry.target_id}&credential={serial}") == ["machine:register"]
    items = client.get(f"{API}?credential={serial}&machine={entry.target_id}").json()["items"]
    assert [item["id"] for item in items] == [entry.pk]
    assert "could not register" in text(client.get(f"/audit/?credential={serial}"))


def test_a_machine_is_found_by_its_name(vault: Vault, staff: User, auditor: User) -> None:
    credential = credential_of(vault, staff)
    machine, other = machine_in(vault, credential), machine_in(vault, credential, "hr-db-03")
    for one in (machine, other):
        record(Action.MACHINE_READY, actor=as_actor(auditor), target=one)
    page = window(auditor).get("/audit/?machine=HR-DB-02")
    assert [event.target_id for event in page.context["page"].items] == [str(machine.pk)]


@pytest.mark.parametrize(
    ("query", "words"),
    [("machine=Nowhere", "There is no machine of this name."), ("credential=xyz!", "4 to 40 hexadecimal digits")],
)
def test_a_wrong_machine_or_serial_says_so(query: str, words: str, auditor: User) -> None:
    response = window(auditor).get(f"/audit/?{query}")
    assert (response.status_code, words in text(response)) == (422, True)


def test_a_search_finds_a_credential_by_its_serial(vault: Vault, staff: User, outsider: User, auditor: User) -> None:
    credential = credential_of(vault, staff)
    for user, sees in ((staff, True), (auditor, True), (outsider, False)):
        page = window(user).get(f"/search/?q={credential.serial[:10].upper()}")
        assert (vault.name in text(page)) is sees
    found = window(auditor).get(f"/search/?q={credential.serial}").content.decode()
    assert f'href="/audit/?credential={credential.serial}"' in found


def test_an_entry_has_a_page_of_its_own(registered: tuple[str, AuditEvent], auditor: User, vault: Vault) -> None:
    serial, entry = registered
    client = window(auditor)
    page = client.get(f"/audit/{entry.pk}/")
    shown = page.content.decode()
    assert f"Entry {entry.pk}" in text(page)
    assert f'href="/machines/{entry.target_id}/"' in shown
    for way in (f"vault={vault.pk}", f"machine={entry.target_id}", f"credential={serial}", "person=machine%20hr-db-02"):
        assert f'href="/audit/?{way}"' in shown
    assert inline(page) == []
    client.get(f"/audit/{entry.pk}/")
    notes = AuditEvent.objects.filter(action="audit:read")
    assert [note.detail for note in notes] == [{"entry": entry.pk}]
    assert client.get("/audit/999999999/").status_code == 404
    assert client.get(f"/audit/{2**80}/").status_code == 404


def test_only_auditors_open_an_entry(staff: User, approver: User, administrator: User) -> None:
    event = happen("vault:active", target_label="Payroll-of-others")
    for user in (staff, approver, administrator):
        response = window(user).get(f"/audit/{event.pk}/")
        assert (response.status_code, "Payroll-of-others" in response.content.decode()) == (403, False)
        assert window(user).get("/audit/999999999/").status_code == 403


def test_from_where_and_by_which_way_is_said(auditor: User) -> None:
    happen("session:sign-in", address="::1")
    shown = text(window(auditor).get("/audit/"))
    assert "staff signed in. Details" in shown
    assert "this computer (::1), portal" in shown


def test_what_is_shown_is_escaped(auditor: User) -> None:
    happen("session:sign-in", 'unknown "<script>"', refused=True, detail={"code": "<img onerror=x>"})
    response = window(auditor).get("/audit/")
    assert inline(response) == []
    assert "&lt;img onerror=x&gt;" in response.content.decode()


def test_pages_cost_the_same_and_end(auditor: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    AuditEvent.objects.bulk_create([entry_of("vault:active", "worker", via=Via.WORKER) for _ in range(120)])
    client = window(auditor)
    first = client.get("/audit/?person=worker")
    after, sizes = "", []
    while after is not None:
        # session, person, read lately, page; subscriptions, policies and replacements to decide on, notifications, how
        # far they have been read
        with django_assert_num_queries(9):
            page = client.get(f"/audit/?person=worker&after={after}").context["page"]
        sizes.append(len(page.items))
        after = page.next
    assert (first.status_code, sizes) == (200, [50, 50, 20])


def test_a_name_that_others_have_in_theirs_is_found(auditor: User, make_vault: Callable[..., Vault]) -> None:
    """As it was found: with more than twenty such vaults there was none of this name."""
    for number in range(21):
        make_vault(f"a{number:02}-Ledger")
    record(Action.VAULT_ACTIVE, actor=SYSTEM, target=make_vault("Ledger"))
    assert seen(window(auditor), "vault=ledger") == ["vault:active"]


def test_a_name_like_an_id_is_found_beside_what_has_the_id(auditor: User, make_vault: Callable[..., Vault]) -> None:
    """As it was found: such a vault was hidden from the filter by name."""
    one = make_vault("Payroll")
    record(Action.VAULT_ACTIVE, actor=SYSTEM, target=one)
    record(Action.VAULT_RETRY, actor=SYSTEM, target=make_vault(str(one.pk)))
    assert seen(window(auditor), f"vault={one.pk}") == ["vault:retry", "vault:active"]


def test_more_of_a_name_than_can_be_shown_is_told(
    auditor: User, make_vault: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "MOST", 2)
    for number in range(3):
        make_vault("Ledger", subscription=Subscription.objects.create(name=f"S{number}"))
    response = window(auditor).get("/audit/?vault=Ledger")
    assert (response.status_code, "More than 2 have this name. Give the id of one." in response.content.decode()) == (
        422,
        True,
    )


def test_the_title_of_an_entry_is_escaped_once(auditor: User) -> None:
    actor = Actor("machine hr-db-02", via=Via.AGENT)
    entry = record(Action.MACHINE_BACKUP, actor=actor, detail={"outcome": "failed", "code": "internal"})
    page = window(auditor).get(f"/audit/{entry.pk}/").content.decode()
    assert "a fault of the agent&#x27;s." in page.partition("<title>")[2].partition("</title>")[0]


def test_reading_is_noted_once_for_each_filter_in_ten_minutes(auditor: User) -> None:
    client = window(auditor)
    for query in ("", "", "person=staff", "person=staff&after=", "refused=on"):
        client.get(f"/audit/?{query}")
    _, secret = tokens.make("siem", actor=as_actor(auditor), scope="read", days=1, answer=Password(PASSWORD))
    client.get(API + "?person=staff")
    Client().get(API + "?action=x", headers={"Authorization": f"Bearer {secret}"})
    notes = AuditEvent.objects.filter(action="audit:read").order_by("id")
    assert [(note.actor_label, note.via, note.detail) for note in notes] == [
        ("auditor", "page", {}),
        ("auditor", "page", {"person": "staff"}),
        ("auditor", "page", {"refused": True}),
        ("auditor", "token", {"action": "x"}),
    ]


def test_reading_again_later_is_noted_again(auditor: User) -> None:
    happen("audit:read", "auditor", timezone.now() - timedelta(minutes=11), detail={})
    window(auditor).get("/audit/")
    assert AuditEvent.objects.filter(action="audit:read").count() == 2


def test_actions_are_all_that_there_are(db: None, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for action in ("vault:active", "audit:read", "vault:active", "user:create"):
        happen(action)
    assert actions() == ["audit:read", "user:create", "vault:active"]
    with django_assert_num_queries(0):
        actions()


def test_activity_counts_each_day(db: None, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    today = date(2026, 11, 22)
    for days, refused in ((0, False), (0, True), (1, False), (29, False), (30, False)):
        happen("x", at=datetime(2026, 11, 22, 23, 59, tzinfo=UTC) - timedelta(days=days), refused=refused)
    counted = activity(today)
    assert len(counted) == 30
    assert {day.day.isoformat(): (day.entries, day.refused) for day in counted if day.entries} == {
        "2026-10-24": (1, 0),
        "2026-11-21": (1, 0),
        "2026-11-22": (2, 1),
    }
    with django_assert_num_queries(0):
        activity(today)


def test_bars_fit_the_drawing() -> None:
    chart = bars([Day(date(2026, 11, day), entries, entries // 2) for day, entries in ((1, 0), (2, 1), (3, 1000))])
    rects = re.findall(
        r'<rect class="(\w+)" x="([\d.]+)" y="([\d.]+)" width="296.0" height="([\d.]+)"/>', chart.drawing
    )
    assert rects == [
        ("ground", "2.0", "0.0", "56.0"),
        ("ground", "302.0", "0.0", "56.0"),
        ("all", "302.0", "53.0", "3.0"),
        ("ground", "602.0", "0.0", "56.0"),
        ("all", "602.0", "0.0", "56.0"),
        ("refused", "602.0", "28.0", "28.0"),
    ]
    assert "<title>3 Nov 2026: 1000 entries, 500 refused</title>" in chart.drawing
    assert (chart.entries, chart.refused) == (1001, 500)
    assert "last 3 days: 1001 in all, 500 of them refusals, most on 3 Nov 2026 with 1000." in chart.drawing
    assert 'class="all"' not in bars([Day(date(2026, 11, 1), 0, 0)]).drawing


def test_a_flood_is_the_first_entry_and_then_a_count(staff: User, outsider: User) -> None:
    actor = as_actor(staff)
    assert refusal(Action.MACHINE_REGISTER, actor=actor, detail={"code": "clock_skew"}) is not None
    assert [refusal(Action.MACHINE_REGISTER, actor=actor, detail={"code": "clock_skew"}) for _ in range(3)] == [
        None
    ] * 3
    refusal(Action.MACHINE_RENEW, actor=actor)
    refusal(Action.MACHINE_REGISTER, actor=as_actor(outsider))
    write_refusal_counts()
    assert AuditEvent.objects.count() == 3
    RefusalCounter.objects.update(since=timezone.now() - timedelta(seconds=refusal_counters.SECONDS + 1))
    write_refusal_counts()
    write_refusal_counts()
    (count,) = AuditEvent.objects.filter(content__contains='"repeated":')
    assert (count.action, count.actor_label, count.address, count.refused) == (
        "machine:register",
        "staff",
        "192.0.2.7",
        True,
    )
    assert (count.detail["repeated"], count.detail["seconds"], count.detail["code"]) == (3, 60, "clock_skew")
    assert (AuditEvent.objects.count(), RefusalCounter.objects.count()) == (4, 0)


def test_refusals_of_different_things_are_no_flood(staff: User, make_vault: Callable[..., Vault]) -> None:
    """Each is an entry, and each has its own count, which says what it is about."""
    one, other = make_vault("One"), make_vault("Other")
    for _ in range(3):
        for target, code in ((one, "not_allowed"), (one, "stale_state"), (other, "not_allowed"), (None, "not_allowed")):
            refusal(Action.VAULT_REDUNDANCY, actor=as_actor(staff), target=target, detail={"code": code})
    RefusalCounter.objects.update(since=timezone.now() - timedelta(seconds=61))
    write_refusal_counts()
    what = [("One", "not_allowed"), ("One", "stale_state"), ("Other", "not_allowed"), ("", "not_allowed")]
    entries = [(event.target_label, event.detail["code"]) for event in AuditEvent.objects.order_by("id")]
    assert (entries[:4], sorted(entries[4:])) == (what, sorted(what))
    counts = [event for event in AuditEvent.objects.all() if event.detail.get("repeated") == 2]
    assert {(count.target_id, count.vault_id) for count in counts} == {
        (str(one.pk), one.pk),
        (str(other.pk), other.pk),
        ("", None),
    }
    assert len(counts) == 4


def test_a_flood_about_ever_other_things_stays_bounded(staff: User, outsider: User) -> None:
    actor = replace(as_actor(staff), address="192.0.2.66")
    for number in range(refusal_counters.MOST_FROM_NETWORK + 5):
        refusal(Action.VAULT_REDUNDANCY, actor=actor, detail={"code": f"code {number}"})
    refusal(Action.VAULT_REDUNDANCY, actor=actor, detail={"code": "code 0"})
    assert refusal(Action.VAULT_REDUNDANCY, actor=as_actor(outsider)) is not None
    assert AuditEvent.objects.count() == refusal_counters.MOST_FROM_NETWORK + 1
    RefusalCounter.objects.update(since=timezone.now() - timedelta(seconds=61))
    write_refusal_counts()
    counts = AuditEvent.objects.filter(content__contains='"repeated":').order_by("action")
    assert [(count.action, count.actor_label, count.address, count.detail["repeated"]) for count in counts] == [
        ("refusal:others", "various", "192.0.2.66", 5),
        ("vault:redundancy", "staff", "192.0.2.66", 1),
    ]


def test_after_the_minute_the_next_one_is_written_again(staff: User) -> None:
    for _ in range(2):
        refusal(Action.MACHINE_REGISTER, actor=as_actor(staff))
    RefusalCounter.objects.update(since=timezone.now() - timedelta(seconds=61))
    refusal(Action.MACHINE_REGISTER, actor=as_actor(staff))
    assert [event.detail.get("repeated") for event in AuditEvent.objects.order_by("id")] == [None, 1, None]


def test_what_is_done_is_never_counted_away(staff: User) -> None:
    for _ in range(3):
        record(Action.VAULT_ACTIVE, actor=as_actor(staff))
    assert AuditEvent.objects.count() == 3


def test_the_json_says_what_the_page_says(auditor: User, vault: Vault) -> None:
    event = record(Action.VAULT_ACTIVE, actor=as_actor(auditor, Via.WORKER), target=vault, detail={"from": "Creating"})
    answer = window(auditor).get(f"{API}?vault={vault.pk}&from=2026-01-01&limit=1").json()
    assert answer["next"] is None
    (item,) = answer["items"]
    assert item.pop("at").endswith("Z")
    assert item == {
        "id": event.pk,
        "actor": "auditor",
        "via": "worker",
        "address": "192.0.2.7",
        "action": "vault:active",
        "refused": False,
        "target": {"type": "vault", "id": str(vault.pk), "label": "Payroll"},
        "vault_id": str(vault.pk),
        "detail": {"from": "Creating"},
    }


@pytest.mark.parametrize("query", ["vault=x", "from=x", "limit=501", "after=x", "person=%00", "refused=perhaps"])
def test_the_json_refuses_what_it_cannot_read(query: str, auditor: User) -> None:
    response = window(auditor).get(f"{API}?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
