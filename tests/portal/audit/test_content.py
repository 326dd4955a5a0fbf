"""The exact bytes of an entry: one form, which says what the columns say, of whatever the details are."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Model
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.accounts.models import User
from portal.audit.actions import Action
from portal.audit.models import AuditEvent
from portal.audit.record import record
from portal.core.actor import Actor, Via
from portal.core.digests import canonical
from tests.factories import as_actor
from tests.long import MANY
from tests.migrating import migrated, newest_again  # noqa: F401 - a fixture
from tests.portal.audit.entries import entry_of

SERIAL = "25ca8793" + "0" * 28 + "d0c7"
AT = datetime(2026, 11, 27, 21, 0, 0, 123456, UTC)
BEFORE, AFTER = (
    [("audit", "0007_person_and_action"), ("agents", "0010_no_decisions_of_its_own")],
    [("audit", "0008_content")],
)


def test_the_form_of_an_entry() -> None:
    vault = uuid4()
    event = entry_of(
        "machine:register", "hr-db-02", at=AT, address="192.0.2.7", target_type="machine", target_id="1",
        target_label="hr-db-02", vault_id=vault, detail={"credential": SERIAL, "b": [1, True, None], "a": {"z": "ü"}},
    )  # fmt: skip
    assert event.content == (
        '{"action":"machine:register","actor":{"id":null,"label":"hr-db-02"},"address":"192.0.2.7",'
        '"at":"2026-11-27T21:00:00.123456Z","detail":{"a":{"z":"ü"},"b":[1,true,null],"credential":"' + SERIAL + '"},'
        '"refused":false,"target":{"id":"1","label":"hr-db-02","type":"machine"},"vault":"' + str(vault) + '",'
        '"via":"page"}'
    )
    assert event.serial == SERIAL


@pytest.mark.django_db
def test_the_columns_say_what_the_content_says(staff: User) -> None:
    stored = record(Action.USER_DESCRIBE, actor=as_actor(staff), target=staff, detail={"from": {"full_name": "É"}})
    event = AuditEvent.objects.get(pk=stored.pk)
    said = json.loads(event.content)
    assert canonical(said).decode() == event.content == stored.content
    assert said == {
        "at": f"{event.at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "actor": {"id": event.actor_id, "label": event.actor_label},
        "via": event.via,
        "address": event.address,
        "action": event.action,
        "refused": event.refused,
        "target": {"type": event.target_type, "id": event.target_id, "label": event.target_label},
        "vault": event.vault_id,
        "detail": event.detail,
    }
    assert (event.actor_id, event.detail) == (staff.pk, {"from": {"full_name": "É"}})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**63), "-9223372036854775808"),
        ("half \ud800", "half ?"),
        ("nul \x00", "nul \x00"),
        ({"key \udfff": 1}, {"key ?": 1}),
        ((1, 2), [1, 2]),
    ],
)
@pytest.mark.django_db
def test_what_the_form_does_not_have_is_kept_as_text(given: object, kept: object, staff: User) -> None:
    stored = record(Action.USER_DESCRIBE, actor=as_actor(staff), detail={"value": given})
    assert AuditEvent.objects.get(pk=stored.pk).detail == {"value": kept}


@pytest.mark.django_db
def test_no_label_keeps_an_entry_from_being_written() -> None:
    stored = record(Action.USER_DESCRIBE, actor=Actor(label="half \ud800", via=Via.PAGE))
    event = AuditEvent.objects.get(pk=stored.pk)
    assert (event.actor_label, json.loads(event.content)["actor"]["label"]) == ("half ?", "half ?")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), AT])
@pytest.mark.django_db
def test_what_is_no_json_is_refused(value: object, staff: User) -> None:
    with pytest.raises(ValueError, match=r"."):
        record(Action.USER_DESCRIBE, actor=as_actor(staff), detail={"value": value})
    assert not AuditEvent.objects.exists()


@given(
    detail=st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.one_of(st.text(max_size=8), st.integers(), st.none(), st.booleans()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=5,
        ),
        max_size=4,
    )
)
@hypothesis_settings(max_examples=100 * MANY)
def test_any_detail_has_one_form(detail: dict[str, Any]) -> None:
    event = entry_of("x:y", detail=detail)
    assert canonical(json.loads(event.content)).decode() == event.content


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("newest_again")
def test_entries_of_before_get_their_content_and_give_it_back(staff: User) -> None:
    details: list[dict[str, Any]] = [
        {},
        {"serial": SERIAL, "b": 1, "a": {"size": 2**60}},
        {"credential": SERIAL, "reason": "Größe"},
    ]
    old: Any = migrated(BEFORE).get_model("audit", "AuditEvent")
    for number, detail in enumerate(details):
        old.objects.create(
            at=AT, actor_id=staff.pk, actor_label="staff", via="page", action="x:y", refused=bool(number), detail=detail
        )
    new: type[Model] = migrated(AFTER).get_model("audit", "AuditEvent")
    contents = list(new._default_manager.order_by("pk").values_list("content", flat=True))
    told = [{**detail, **({"a": {"size": str(2**60)}} if "a" in detail else {})} for detail in details]
    assert [json.loads(content)["detail"] for content in contents] == told
    assert contents[2] == (
        f'{{"action":"x:y","actor":{{"id":{staff.pk},"label":"staff"}},"address":"","at":"2026-11-27T21:00:00.123456Z",'
        f'"detail":{{"credential":"{SERIAL}","reason":"Größe"}},"refused":true,'
        '"target":{"id":"","label":"","type":""},"vault":null,"via":"page"}'
    )
    assert list(new._default_manager.order_by("pk").values_list("serial", flat=True)) == ["", SERIAL, SERIAL]
    content = entry_of("x:y", at=AT, detail={"value": "nul \x00", "key \x00": 1}).content
    new._default_manager.create(at=AT, actor_label="staff", via="page", action="x:y", content=content)
    told.append({"key ?": 1, "value": "nul ?"})
    again: Any = migrated(BEFORE).get_model("audit", "AuditEvent")
    assert list(again.objects.order_by("pk").values_list("detail", "serial")) == list(
        zip(told, ["", SERIAL, SERIAL, ""], strict=True)
    )
    with connection.cursor() as cursor:  # the database computes the serial again
        cursor.execute("UPDATE audit_auditevent SET detail = '{\"serial\": \"abc\"}' WHERE serial = ''")
    assert again.objects.filter(serial="abc").count() == 2
