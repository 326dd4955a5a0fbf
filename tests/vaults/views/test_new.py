"""Quick Create."""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.accounts.models import Membership, Subscription, User
from tests.vaults.factories import Ask
from tests.vaults.pages import text_of, window
from vaults.models import Region, VaultRequest
from vaults.regions.catalog import places

LABELS = ["Subscription", "Name", "Region", "Storage redundancy", "Reason"]
NOBODYS = "2000000000"  # sequences do not begin anew with each test


@pytest.fixture
def typed(subscription: Subscription, regions: tuple[Region, Region]) -> dict[str, Any]:
    """What somebody types who does everything right."""
    return {
        "subscription": subscription.pk,
        "name": "Payroll",
        "region": regions[0].pk,
        "redundancy": "geo",
        "reason": "Nightly backups of the ledger server",
    }


def test_the_form_has_exactly_the_fields_of_the_contract(staff: User, regions: Any) -> None:
    page = window(staff).get("/vaults/new/").content.decode()
    form = page[page.index('<form method="post" class="form"') :]
    fields = re.findall(r"<(?:label for|legend)[^>]*>\s*([^<]+?)\s*<", form)
    assert [one for one in fields if one not in {"Geo-redundant", "Locally redundant"}] == LABELS
    assert re.search(r'value="geo"[^>]* checked', form)
    assert ">Create vault</button>" in form


def test_a_right_form_leads_to_the_page_of_the_request(staff: User, typed: dict[str, Any]) -> None:
    response = window(staff).post("/vaults/new/", typed)
    made = VaultRequest.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/requests/{made.pk}/")
    assert (made.name, made.redundancy, made.requested_by, made.state) == ("Payroll", "geo", staff, "pending")


def test_sending_it_twice_makes_one_request(staff: User, typed: dict[str, Any]) -> None:
    client = window(staff)
    answers = [client.post("/vaults/new/", typed)["Location"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert VaultRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x"),
        ("name", "9lives"),
        ("name", "pay roll"),
        ("name", "p" * 51),
        ("name", "Päyroll"),
        ("name", "Pay\0roll"),
        ("reason", ""),
        ("reason", "   "),
        ("reason", "x" * 2001),
        ("redundancy", "triple"),
        ("region", NOBODYS),
        ("subscription", NOBODYS),
        ("subscription", "x"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_what_was_typed_stays(
    field: str, value: str, staff: User, typed: dict[str, Any]
) -> None:
    response: Any = window(staff).post("/vaults/new/", {**typed, field: value})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert f'id="id_{field}_error"' in response.content.decode()
    kept = "Nightly backups" if field != "reason" else 'value="Payroll"'
    assert kept in response.content.decode()
    assert VaultRequest.objects.count() == 0


def test_a_name_that_is_taken_is_said_beside_the_name(staff: User, typed: dict[str, Any], ask: Ask) -> None:
    ask("PAYROLL")
    response: Any = window(staff).post("/vaults/new/", typed)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["name"]
    assert VaultRequest.objects.count() == 1


def test_another_subscription_cannot_be_chosen(staff: User, outsider: User, typed: dict[str, Any]) -> None:
    other = Subscription.objects.get(name="Elsewhere")
    response: Any = window(staff).post("/vaults/new/", {**typed, "subscription": other.pk})
    assert list(response.context["form"].errors) == ["subscription"]
    assert "Elsewhere" not in response.content.decode()


def test_a_closed_region_is_not_offered(staff: User, typed: dict[str, Any], regions: tuple[Region, Region]) -> None:
    Region.objects.filter(pk=regions[0].pk).update(enabled=False)
    client = window(staff)
    assert "Local A" not in text_of(client.get("/vaults/new/"))
    response: Any = client.post("/vaults/new/", {**typed, "redundancy": "local"})
    assert list(response.context["form"].errors) == ["region"]


def test_people_without_a_subscription_are_told_why_there_is_no_form(approver: User, regions: Any) -> None:
    response = window(approver).get("/vaults/new/")
    assert "You are not a member of any subscription" in text_of(response)
    assert "Create vault" not in text_of(response)


def test_no_region_at_all_is_explained(staff: User) -> None:
    assert "No region takes new vaults" in text_of(window(staff).get("/vaults/new/"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", ""),
        ("Fresh", "Fresh is available."),
        ("x", "A name must have 2 to 50 characters."),
        ("9lives", "A name must begin with a letter, followed by letters, digits or hyphens."),
    ],
)
def test_the_name_is_checked_while_it_is_typed(name: str, says: str, staff: User, subscription: Subscription) -> None:
    query: dict[str, Any] = {"subscription": subscription.pk, "name": name}
    assert text_of(window(staff).get("/vaults/new/name/", query)) == says


def test_the_check_knows_names_that_are_taken(staff: User, subscription: Subscription, ask: Ask) -> None:
    ask("Payroll")
    query: dict[str, Any] = {"subscription": subscription.pk, "name": "payROLL"}
    assert "is available" not in text_of(window(staff).get("/vaults/new/name/", query))


@pytest.mark.parametrize("chosen", ["", "x", NOBODYS, "-1"])
def test_the_check_tells_nothing_about_other_subscriptions(chosen: str, staff: User, ask: Ask) -> None:
    ask("Payroll")
    query: dict[str, Any] = {"subscription": chosen, "name": "Payroll"}
    assert window(staff).get("/vaults/new/name/", query).status_code == 404


def test_the_check_is_closed_to_outsiders(outsider: User, subscription: Subscription, ask: Ask) -> None:
    ask("Payroll")
    response = window(outsider).get("/vaults/new/name/", {"subscription": str(subscription.pk), "name": "Payroll"})
    assert response.status_code == 404
    assert "taken" not in text_of(response)


def test_the_subscription_of_the_address_is_preselected(staff: User, regions: Any) -> None:
    second = Subscription.objects.create(name="Second")
    Membership.objects.create(user=staff, subscription=second)
    page = window(staff).get(f"/vaults/new/?subscription={second.pk}").content.decode()
    assert re.search(rf'<option value="{second.pk}" selected>Second', page)


def test_nothing_is_cut_without_a_word(staff: User, typed: dict[str, Any]) -> None:
    client = window(staff)
    form = client.get("/vaults/new/").content.decode().split('class="form"')[1]
    assert "maxlength" not in form
    assert re.findall(r'data-limit="(\d+)"', form) == ["50", "2000"]
    too_long: Any = client.post("/vaults/new/", {**typed, "name": "p" * 51})
    assert (too_long.status_code, "p" * 51 in too_long.content.decode()) == (422, True)


def test_geo_redundancy_is_not_offered_where_no_paired_region_is_open(
    staff: User, typed: dict[str, Any], regions: tuple[Region, Region]
) -> None:
    Region.objects.filter(pk=regions[1].pk).update(enabled=False)
    client = window(staff)
    page = client.get("/vaults/new/")
    assert "Geo-redundant is not available: Local A has no open paired region." in text_of(page)
    assert re.findall(r'name="redundancy" value="(\w+)"[^>]* checked', page.content.decode()) == ["local"]
    refused: Any = client.post("/vaults/new/", typed)
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["redundancy"])


@pytest.fixture
def lonely(regions: tuple[Region, Region]) -> Region:
    """A third region, which has no pair, beside two that are each other's."""
    return Region.objects.create(slug="local-c", name="Local C")


def radios(page: Any) -> list[tuple[str, bool, bool]]:
    """Each choice of redundancy: its value, whether it is chosen, whether it is closed."""
    found = re.findall(r'<input type="radio" name="redundancy" value="(\w+)"([^>]*)>', page.content.decode())
    return [(value, " checked" in rest, " disabled" in rest) for value, rest in found]


def test_each_choice_says_what_it_means(staff: User, regions: tuple[Region, Region]) -> None:
    html = window(staff).get("/vaults/new/").content.decode()
    for number, says in enumerate(["Data is copied to the paired region", "Kept in the region only."]):
        assert f'aria-describedby="id_redundancy_{number}_about"' in html
        assert re.search(rf'id="id_redundancy_{number}_about">{says}', html)
    assert "/vaults/new/redundancy/" not in html


def test_what_can_be_had_in_a_region_is_asked_where_it_depends_on_it(staff: User, lonely: Region) -> None:
    client, where = window(staff), "/vaults/new/redundancy/"
    page = client.get("/vaults/new/")
    assert f'hx-get="{where}"' in page.content.decode()
    assert radios(page) == [("geo", True, False), ("local", False, False)]  # without scripts all can be chosen
    alone = client.get(where, {"region": str(lonely.pk), "redundancy": "geo"})
    assert radios(alone) == [("geo", False, True), ("local", True, False)]
    assert "Not available: Local C has no open paired region." in text_of(alone)
    paired = Region.objects.get(slug="local-a")
    assert '<input type="hidden" name="wished" value="geo">' in alone.content.decode()
    back = client.get(where, {"region": str(paired.pk), "redundancy": "local", "wished": "geo"})
    assert radios(back) == [("geo", True, False), ("local", False, False)]  # what the person chose is not forgotten
    assert "wished" not in back.content.decode()
    for chosen, other in (("geo", "local"), ("local", "geo")):
        answer = client.get(where, {"region": str(paired.pk), "redundancy": chosen})
        assert sorted(radios(answer)) == sorted([(chosen, True, False), (other, False, False)])
        assert "Kept in Local A only." in text_of(answer)


@pytest.mark.parametrize("region", ["", "x", "0", "99999999", "²"])
def test_what_can_be_had_in_no_region_is_not_told(staff: User, lonely: Region, region: str) -> None:
    assert window(staff).get("/vaults/new/redundancy/", {"region": region}).status_code == 404


def test_who_belongs_to_no_subscription_is_told_of_no_region(outsider: User, lonely: Region) -> None:
    Membership.objects.filter(user=outsider).delete()
    assert window(outsider).get("/vaults/new/redundancy/", {"region": str(lonely.pk)}).status_code == 404


def test_more_regions_cost_no_more_queries(
    staff: User, regions: tuple[Region, Region], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = window(staff)

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200
        return len(asked)

    addresses = ("/vaults/new/", f"/vaults/new/redundancy/?region={regions[0].pk}")
    before = [queries(address) for address in addresses]
    more = [Region(slug=f"more-{number}", name=f"More {number}") for number in range(9)]
    Region.objects.bulk_create(more)
    known = {**places(), **{one.slug: replace(places()["local-a"], slug=one.slug) for one in more}}
    monkeypatch.setattr("vaults.regions.catalog.places", lambda: known)
    assert [queries(address) for address in addresses] == before
