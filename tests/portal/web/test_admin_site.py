"""The admin site: who gets in, that it saves through the audited functions, and that nothing is deleted."""

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from portal.accounts.models import Membership, Subscription, User
from portal.audit.models import AuditEvent
from tests.factories import PASSWORD
from tests.portal.pages import inlines, text, window

GOOD = "a long enough sentence"


def told() -> list[tuple[str, str, str]]:
    return list(AuditEvent.objects.order_by("id").values_list("action", "target_label", "via"))


def test_strangers_sign_in_where_everybody_does(administrator: User) -> None:
    hops = Client().get("/admin/", follow=True).redirect_chain
    assert hops[-1] == ("/accounts/login/?next=/admin/", 302)
    client = Client()
    response = client.post(hops[-1][0], {"username": "admin", "password": PASSWORD}, follow=True)
    assert response.redirect_chain == [("/admin/", 302)]
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/admin/"
    assert Client().get("/admin/login/?next=/admin/accounts/")["Location"] == "/accounts/login/?next=/admin/accounts/"


@pytest.mark.parametrize("path", ["/admin/", "/admin/accounts/user/", "/admin/login/"])
def test_others_than_administrators_are_told(path: str, staff: User, approver: User, auditor: User) -> None:
    for user in (staff, approver, auditor):
        response = window(user).get(path, follow=True)
        assert response.status_code == 403
        assert "Not allowed" in text(response)


def test_it_holds_no_vaults_and_deletes_nothing(administrator: User) -> None:
    names = {model._meta.label for model in admin.site._registry}
    kept_out = {"vaults.Vault", "vaults.VaultRequest", "agents.Machine", "audit.AuditEvent", "accounts.ApiToken"}
    assert not names & kept_out
    client = window(administrator)
    assert client.post(f"/admin/accounts/user/{administrator.pk}/delete/", {"post": "yes"}).status_code == 403
    form = {"action": "delete_selected", "_selected_action": administrator.pk, "post": "yes"}
    client.post("/admin/accounts/user/", form)
    assert User.objects.count() == 1
    assert "delete_selected" not in client.get("/admin/accounts/user/").content.decode()


def test_its_first_page_says_what_is_here_and_what_is_not(administrator: User) -> None:
    shown = window(administrator).get("/admin/").content.decode()
    assert "Here are the people, the subscriptions whose members they are, and the regions." in shown
    assert "Vaults, machines and requests are not here" in shown


def test_a_person_is_made_with_roles_and_memberships(administrator: User, subscription: Subscription) -> None:
    form = {
        "username": "nora",
        "full_name": "Nora",
        "email": "",
        "password": GOOD,
        "is_active": "on",
        "is_auditor": "on",
    }
    response = window(administrator).post(
        "/admin/accounts/user/add/", {**form, **inlines({"subscription": subscription.pk})}
    )
    assert response.status_code == 302, text(response)
    nora = User.objects.get(username="nora")
    assert (nora.check_password(GOOD), nora.is_auditor, nora.is_approver) == (True, True, False)
    assert Membership.objects.filter(user=nora, subscription=subscription).count() == 1
    assert told() == [("user:create", "nora", "admin"), ("membership:add", "Default", "admin")]
    assert LogEntry.objects.count() == 0


def test_a_person_changes_and_only_what_changed_is_told(administrator: User, staff: User) -> None:
    membership = Membership.objects.get()
    kept = inlines({"id": membership.pk, "user": staff.pk}, initial=1)
    path = f"/admin/accounts/user/{staff.pk}/change/"
    client = window(administrator)
    same = {"full_name": "", "email": "", "password": "", "is_active": "on"}
    assert client.post(path, {**same, **kept}).status_code == 302
    assert told() == []
    client.post(path, {**same, "username": "renamed", "is_approver": "on", "password": GOOD, **kept})
    staff.refresh_from_db()
    assert (staff.username, staff.is_approver, staff.check_password(GOOD)) == ("staff", True, True)
    client.post(path, {**same, "is_active": "", "full_name": "Sam", **kept})
    assert [action for action, *_ in told()] == [
        "user:set-roles",
        "user:set-password",
        "user:set-roles",
        "user:describe",
        "user:deactivate",
    ]


@pytest.mark.parametrize(
    "query",
    ["password__startswith=md5", "password__regex=.", "session_round=0", "session_round__gt=0", "tokens__digest=x"],
)
def test_the_list_answers_no_questions_about_what_it_does_not_show(query: str, administrator: User) -> None:
    """A hash could be asked for letter by letter."""
    client = window(administrator)
    assert client.get(f"/admin/accounts/user/?{query}").status_code == 400
    assert client.get("/admin/accounts/user/?is_active__exact=1&username__startswith=a").status_code == 200
    assert client.get("/admin/accounts/subscription/?members__password__startswith=md5").status_code == 400


def test_a_membership_is_taken(administrator: User, staff: User, subscription: Subscription) -> None:
    membership = Membership.objects.get()
    gone = inlines({"id": membership.pk, "subscription": subscription.pk, "DELETE": "on"}, initial=1)
    path = f"/admin/accounts/subscription/{subscription.pk}/change/"
    window(administrator).post(path, {"name": "Default", "description": "", **gone})
    assert Membership.objects.count() == 0
    assert told() == [("membership:remove", "Default", "admin")]


def test_a_subscription_is_made_and_renamed(administrator: User) -> None:
    client = window(administrator)
    client.post("/admin/accounts/subscription/add/", {"name": "HR", "description": "", **inlines()})
    made = Subscription.objects.get()
    client.post(f"/admin/accounts/subscription/{made.pk}/change/", {"name": "Pay", "description": "", **inlines()})
    assert told() == [("subscription:create", "HR", "admin"), ("subscription:rename", "Pay", "admin")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "short"}, "too short"),
        ({"password": ""}, "A new account needs a password."),
        ({"username": "ADMIN"}, "There is somebody of this user name already."),
        ({"username": "a b"}, "Enter a valid username"),
    ],
)
def test_a_wrong_form_makes_nobody(change: dict[str, str], words: str, administrator: User) -> None:
    form = {"username": "nora", "full_name": "", "email": "", "password": GOOD, "is_active": "on", **change}
    response = window(administrator).post("/admin/accounts/user/add/", {**form, **inlines()})
    assert (response.status_code, User.objects.count(), told()) == (200, 1, [])
    assert words in text(response)


@pytest.mark.parametrize("page", ["user", "subscription"])
def test_texts_are_bounded_where_none_of_our_scripts_counts(page: str, administrator: User) -> None:
    shown = window(administrator).get(f"/admin/accounts/{page}/add/").content.decode()
    assert "maxlength=" in shown
    assert "data-limit" not in shown


def test_a_refusal_is_shown_above_the_form(administrator: User) -> None:
    path = f"/admin/accounts/user/{administrator.pk}/change/"
    form = {"full_name": "", "email": "", "password": "", "is_active": "on", **inlines()}
    response = window(administrator).post(path, form, follow=True)
    assert response.status_code == 200
    assert "is the only administrator. Make somebody else an administrator first." in text(response)
    administrator.refresh_from_db()
    assert administrator.is_administrator


def test_the_role_taken_away_ends_it_at_the_next_request(administrator: User) -> None:
    client = window(administrator)
    assert client.get("/admin/").status_code == 200
    User.objects.filter(pk=administrator.pk).update(is_administrator=False)
    assert client.get("/admin/", follow=True).status_code == 403


def test_its_own_doors_lead_to_ours(administrator: User) -> None:
    client = window(administrator)
    assert client.get("/admin/password_change/")["Location"] == "/accounts/"
    assert client.post("/admin/logout/")["Location"] == "/accounts/"
    assert client.get(f"/admin/accounts/user/{administrator.pk}/history/")["Location"] == "/audit/"
    assert administrator.check_password(PASSWORD)


def test_there_is_no_way_to_groups() -> None:
    """We have none, and Django's own admin of them would change rows without an audit entry."""
    assert not site.is_registered(Group)


def test_lists_say_in_words_what_pictures_would(administrator: User, staff: User) -> None:
    User.objects.filter(pk=staff.pk).update(is_active=False, is_approver=True, is_auditor=True)
    page = text(window(administrator).get("/admin/accounts/user/"))
    assert "Approver, auditor" in page
    assert "icon-yes" not in window(administrator).get("/admin/accounts/user/").content.decode()
    assert f"{timezone.now():%Y}" in text(window(administrator).get("/admin/accounts/subscription/"))
    assert "UTC" in text(window(administrator).get("/admin/accounts/subscription/"))


@pytest.mark.parametrize(
    ("path", "command", "document", "some"),
    [
        ("/admin/vaults/region/", "manage.py sync_regions", "docs/regions.md", False),
        # Files of others are added here, but not our own.
        ("/admin/agents/agentpackage/", "manage.py publish_agent", "docs/operations/agent-packages.md", True),
    ],
)
def test_what_cannot_be_added_here_says_where_it_is_added(
    path: str, command: str, document: str, some: bool, administrator: User
) -> None:
    page = window(administrator).get(path)
    assert command in text(page)
    assert document in text(page)
    assert command.split()[1] in (settings.BASE_DIR / document).read_text()
    assert (f"{path}add/" in page.content.decode()) is some
