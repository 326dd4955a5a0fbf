"""The page Replace of a machine: who sees and does what, in each state of a request."""

import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.machines import revoke
from agents.models import Machine, ReplacementRequest
from agents.replacement import replacements
from portal.accounts.models import Subscription, User
from portal.pki.crypto import keys
from tests.agents import peer
from tests.agents.factories import machine_in
from tests.agents.peer import register
from tests.agents.replacing import agree, ask, digest_of
from tests.factories import as_actor, member_of
from tests.vaults.credentials.webcrypto import raw, spki, text
from vaults.models import Credential, Vault

PART = {"HX-Request": "true", "HX-Target": "replacement"}
ASK = "Request a replacement"
DOWNLOAD = "Download replacement credentials"


@pytest.fixture
def url(machine: peer.Machine) -> str:
    return f"/machines/{machine.id}/replacement/"


@pytest.fixture
def asked(staff: User, machine: peer.Machine) -> ReplacementRequest:
    return ask(staff, machine.id)


@pytest.fixture
def colleague(subscription: Subscription) -> User:
    return member_of(subscription)


def window(user: User) -> Client:
    """A browser in which the person is signed in."""
    client = Client()
    client.force_login(user)
    return client


def decision(asked: ReplacementRequest, verdict: str, comment: str = "") -> dict[str, str]:
    return {"request": str(asked.pk), "verdict": verdict, "comment": comment, "digest": digest_of(asked)}


def page_of(asked: ReplacementRequest) -> str:
    return f"/machines/{asked.machine_id}/replacement/"


class TestAccess:
    """Each action by each person, before and after the agreement."""

    @pytest.mark.parametrize(
        ("who", "status"), [("outsider", 404), ("approver", 200), ("auditor", 200), ("staff", 200), ("colleague", 200)]
    )
    def test_looking(self, request: pytest.FixtureRequest, url: str, who: str, status: int) -> None:
        for headers in ({}, PART):
            response = window(request.getfixturevalue(who)).get(url, headers=headers)
            assert response.status_code == status
            assert ("hr-db-02" in response.content.decode()) is (status == 200 and not headers)

    @pytest.mark.parametrize(
        ("who", "status"), [("outsider", 404), ("approver", 403), ("auditor", 403), ("colleague", 302)]
    )
    def test_asking(self, request: pytest.FixtureRequest, url: str, who: str, status: int) -> None:
        assert window(request.getfixturevalue(who)).post(url, {"reason": "x"}).status_code == status
        assert ReplacementRequest.objects.count() == (1 if status == 302 else 0)

    @pytest.mark.parametrize("verdict", ["approve", "reject", "nonsense"])
    @pytest.mark.parametrize(
        ("who", "status"),
        [("outsider", 404), ("auditor", 403), ("staff", 403), ("colleague", 302), ("approver", 302)],
    )
    def test_deciding(
        self, request: pytest.FixtureRequest, asked: ReplacementRequest, who: str, status: int, verdict: str
    ) -> None:
        client = window(request.getfixturevalue(who))
        expected = 422 if (status, verdict) == (302, "nonsense") else status
        answer = client.post(page_of(asked), decision(asked, verdict, "Because."))
        assert answer.status_code == expected
        assert (ReplacementRequest.objects.get().state == "pending") is (expected != 302)

    @pytest.mark.parametrize(
        ("who", "pending", "approved"),
        [
            ("outsider", 404, 404),
            ("auditor", 403, 403),
            ("approver", 403, 403),
            ("colleague", 403, 302),
            ("staff", 302, 302),
        ],
    )
    def test_cancelling(
        self,
        request: pytest.FixtureRequest,
        asked: ReplacementRequest,
        approver: User,
        who: str,
        pending: int,
        approved: int,
    ) -> None:
        client = window(request.getfixturevalue(who))
        assert client.post(page_of(asked), decision(asked, "cancel")).status_code == pending
        ReplacementRequest.objects.update(state="approved", decided_at=timezone.now())
        assert client.post(page_of(asked), decision(asked, "cancel")).status_code == approved

    @pytest.mark.parametrize(
        ("who", "status"),
        [("outsider", 404), ("auditor", 403), ("approver", 403), ("colleague", 403), ("staff", 200)],
    )
    def test_downloading(
        self, request: pytest.FixtureRequest, asked: ReplacementRequest, approver: User, who: str, status: int
    ) -> None:
        client = window(request.getfixturevalue(who))
        address = f"/replacements/{asked.pk}/credentials/"
        assert client.post(address).status_code == (409 if status == 200 else status)
        agree(approver, asked)
        assert client.post(address).status_code == status

    def test_changes_take_post_with_the_token(self, url: str, asked: ReplacementRequest, staff: User) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(staff)
        download = f"/replacements/{asked.pk}/credentials/"
        assert client.get(download).status_code == 405
        forms = [(url, {}), (url, decision(asked, "cancel")), (download, {})]
        assert [client.post(address, fields).status_code for address, fields in forms] == [403, 403, 403]

    def test_strangers_sign_in(self, client: Client, url: str) -> None:
        assert client.get(url).headers["Location"].startswith("/accounts/login/")


class TestPage:
    def test_it_begins_with_the_reason(self, url: str, staff: User) -> None:
        client = window(staff)
        assert ASK in client.get(url).content.decode()
        shown = client.post(url, {"reason": " "})
        assert shown.status_code == 422
        assert "This field is required." in shown.content.decode()
        assert client.post(url, {"reason": "Fire"}).headers["Location"] == url

    @pytest.mark.parametrize("reason", ["a\u202eb", "\u200d"])
    def test_a_reason_that_cannot_be_read_is_refused_at_its_field(self, url: str, staff: User, reason: str) -> None:
        shown = window(staff).post(url, {"reason": reason})
        assert shown.status_code == 422
        assert set(shown.context["form"].errors) == {"reason"}
        assert not ReplacementRequest.objects.exists()

    def test_asking_on_a_page_that_is_out_of_date_is_refused(
        self, url: str, staff: User, colleague: User, approver: User
    ) -> None:
        client = window(staff)

        def form(page: Any, reason: str) -> dict[str, str]:
            found = re.search(r'name="expected" value="([0-9a-f]{16})"', page.content.decode())
            assert found
            return {"reason": reason, "expected": found[1]}

        before = form(client.get(url), "Fire")
        theirs = ask(colleague, Machine.objects.get().pk)
        replacements.reject(theirs.pk, actor=as_actor(approver), comment="No.", digest=digest_of(theirs))
        late: Any = client.post(url, before)
        assert late.status_code == 409
        told = html.unescape(late.content.decode())
        assert "hr-db-02 is Registered. The last request to replace it was made by colleague: rejected." in told
        assert ">Fire</textarea>" in told.replace("\n", "")  # what was typed stays
        assert not ReplacementRequest.objects.filter(requested_by=staff).exists()
        again = form(late, "Fire")
        assert client.post(url, again).status_code == 302
        assert client.post(url, again).status_code == 302  # pressed twice: the same request
        assert ReplacementRequest.objects.filter(requested_by=staff).count() == 1

    def test_it_polls_quickly_only_while_something_has_just_happened(
        self, url: str, asked: ReplacementRequest, staff: User
    ) -> None:
        def pauses() -> list[str]:
            return re.findall(r'hx-trigger="every (\d+)s', window(staff).get(url).content.decode().split("<main")[1])

        first = pauses()[0]
        ReplacementRequest.objects.update(requested_at=timezone.now() - timedelta(minutes=11))
        later = pauses()[0]
        ReplacementRequest.objects.update(state="cancelled", ended_at=timezone.now())
        assert (first, later, pauses()[0]) == ("5", "15", "15")

    def test_asking_after_the_machine_was_revoked_is_refused(
        self, url: str, staff: User, colleague: User, machine: peer.Machine
    ) -> None:
        client = window(staff)
        tag = re.search(r'name="expected" value="([0-9a-f]{16})"', client.get(url).content.decode())
        assert tag
        revoke(Machine.objects.get().pk, actor=as_actor(colleague), reason="Stolen.")
        late = client.post(url, {"reason": "Fire", "expected": tag[1]})
        assert late.status_code == 409
        assert "hr-db-02 is Revoked. Your page was out of date" in late.content.decode()
        assert not ReplacementRequest.objects.exists()

    def test_asking_after_somebody_else_shows_their_request(self, url: str, staff: User, colleague: User) -> None:
        client = window(staff)
        ask(colleague, Machine.objects.get().pk)
        late = client.post(url, {"reason": "Fire"})
        assert late.status_code == 409
        assert "colleague has already requested this." in late.content.decode()
        assert ">Agree<" in late.content.decode()

    def test_onlookers_have_no_form(self, url: str, auditor: User) -> None:
        shown = window(auditor).get(url).content.decode()
        assert ASK not in shown
        assert "Only members of the subscription can request" in shown

    def test_who_asked_waits(self, url: str, asked: ReplacementRequest, staff: User, approver: User) -> None:
        shown = window(staff).get(url).content.decode()
        assert "You requested this" in shown
        assert "approver can decide, until" in shown
        assert (">Agree<" in shown, ASK in shown, ">Cancel<" in shown) == (False, False, True)

    def test_an_auditor_reads(self, url: str, asked: ReplacementRequest, auditor: User) -> None:
        shown = window(auditor).get(url).content.decode()
        assert "Only approvers and members of Default decide on it." in shown
        assert ">Agree<" not in shown

    def test_a_colleague_decides(self, url: str, asked: ReplacementRequest, colleague: User) -> None:
        client = window(colleague)
        shown = client.get(url).content.decode()
        assert ">Agree<" in shown
        assert digest_of(asked) in shown
        refused = client.post(page_of(asked), decision(asked, "reject"))
        assert refused.status_code == 422
        assert "Give a reason, so that the requester can act on it." in refused.content.decode()
        assert client.post(page_of(asked), decision(asked, "approve")).status_code == 302
        assert "staff can download them until" in client.get(url).content.decode()

    def test_what_has_changed_is_decided_on_again(
        self, asked: ReplacementRequest, colleague: User, staff: User
    ) -> None:
        wanted = decision(asked, "approve", "Seen it.")
        revoke(asked.machine_id, actor=as_actor(staff), reason="Stolen")
        client = window(colleague)
        answer = client.post(page_of(asked), wanted)
        assert answer.status_code == 409
        shown = answer.content.decode()
        assert "hr-db-02 is Revoked" in shown
        assert "Seen it.</textarea>" in shown
        digest = digest_of(ReplacementRequest.objects.get())
        assert f'name="digest" value="{digest}"' in shown
        again = client.post(page_of(asked), {**wanted, "digest": digest})
        assert again.status_code == 302

    def test_who_comes_second_is_told_and_sees_how_it_is_now(
        self, asked: ReplacementRequest, colleague: User, approver: User
    ) -> None:
        wanted = decision(asked, "reject", "No.")
        agree(approver, asked)
        answer = window(colleague).post(page_of(asked), wanted)
        shown = answer.content.decode()
        assert answer.status_code == 409
        assert "This request is already agreed by approver." in shown
        assert "staff can download them until" in shown
        assert ">Reject</button>" not in shown
        assert "Reload the page and review it." in shown

    @pytest.mark.parametrize("verdict", ["approve", "cancel"])
    def test_what_somebody_does_on_an_old_page_leaves_them_on_the_page_as_it_is_now(
        self, url: str, asked: ReplacementRequest, staff: User, colleague: User, approver: User, verdict: str
    ) -> None:
        """Its address can be opened again; and what was meant for an earlier request does nothing to the next one."""
        client = window(staff if verdict == "cancel" else colleague)
        shown = client.get(url).content.decode()
        action = re.search(rf'action="([^"]+)">(?:(?!</form>).)*value="{verdict}"', shown, re.DOTALL)
        assert action
        sent = decision(asked, verdict)
        assert all(f'name="{name}" value="{sent[name]}"' in shown for name in ("request", "digest"))
        replacements.reject(asked.pk, actor=as_actor(approver), comment="No.", digest=sent["digest"])
        following = ask(staff, asked.machine_id)
        answer = client.post(action[1], sent)
        assert answer.status_code == 409
        assert "This request is already rejected" in answer.content.decode()
        assert client.get(action[1]).status_code == 200
        following.refresh_from_db()
        assert following.state == "pending"

    def test_a_request_of_another_machine_is_not_there(
        self, asked: ReplacementRequest, vault: Vault, colleague: User
    ) -> None:
        other = machine_in(vault, Credential.objects.latest("issued_at"), "elsewhere")
        client = window(colleague)
        for odd in (str(asked.pk), "", "x"):
            fields = {**decision(asked, "approve"), "request": odd}
            assert client.post(f"/machines/{other.pk}/replacement/", fields).status_code == 404

    def test_the_download(self, url: str, asked: ReplacementRequest, staff: User, approver: User) -> None:
        agree(approver, asked)
        client = window(staff)
        assert DOWNLOAD in client.get(url).content.decode()
        response = client.post(f"/replacements/{asked.pk}/credentials/")
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        credential = Credential.objects.get(purpose="replace")
        name = f"Payroll_hr-db-02_{credential.issued_at:%a %b %d %Y}.VaultCredentials"
        assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        newcomer = peer.Machine()
        assert register(json.loads(response.content), newcomer).status_code == 201
        shown = client.get(url).content.decode()
        assert (ASK in shown, "Done" in shown, DOWNLOAD in shown) == (True, True, False)

    def test_what_to_type(self, url: str, asked: ReplacementRequest, staff: User, approver: User) -> None:
        client = window(staff)
        assert "--passphrase-file" not in client.get(url).content.decode()
        agree(approver, asked)
        shown = client.get(url).content.decode()
        assert f"--credentials &#x27;Payroll_hr-db-02_{timezone.now():%a %b %d %Y}.VaultCredentials&#x27;" in shown
        assert "--passphrase-file /root/strongroom-passphrase" in shown
        assert "--generate-passphrase" not in shown
        told = "the passphrase that was saved when the old computer was set up: put it into the file"
        assert f"{told} <code>/root/strongroom-passphrase</code>" in shown

    def test_a_download_that_came_too_late(
        self, url: str, asked: ReplacementRequest, staff: User, approver: User
    ) -> None:
        agree(approver, asked)
        ReplacementRequest.objects.update(decided_at=timezone.now() - timedelta(hours=49))
        client = window(staff)
        assert DOWNLOAD not in client.get(url).content.decode()
        assert client.post(f"/replacements/{asked.pk}/credentials/").status_code == 409

    def test_a_vault_that_takes_nobody(self, url: str, vault: Vault, staff: User) -> None:
        Vault.objects.update(state="Removing")
        assert ASK not in window(staff).get(url).content.decode()

    def test_a_name_that_is_anothers(
        self, url: str, machine: peer.Machine, issue: Callable[..., dict[str, object]], staff: User
    ) -> None:
        Machine.objects.update(state="Unregistered")
        register(issue(), peer.Machine())
        client = window(staff)
        assert "Its name is taken." in client.get(url).content.decode()
        assert client.post(url, {"reason": "x"}).status_code == 409

    def test_it_lives(self, url: str, asked: ReplacementRequest, staff: User, approver: User) -> None:
        """Polled, it is silent while nothing changes; when another form is due, it is another page."""
        client = window(staff)
        whole = client.get(url).content.decode()
        asked_for = [html.unescape(each) for each in re.findall(r'hx-get="([^"]*)"', whole)]
        (address,) = [each for each in asked_for if each.startswith(url)]
        tag = client.get(address, headers=PART).headers["ETag"]
        assert client.get(address, headers={**PART, "If-None-Match": tag}).status_code == 304
        agree(approver, asked)
        assert client.get(address, headers=PART).headers["HX-Refresh"] == "true"

    @pytest.mark.parametrize("state", ["", "pending", "approved"])
    def test_queries(
        self,
        url: str,
        machine: peer.Machine,
        staff: User,
        approver: User,
        state: str,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for _ in range(12):
            replacements.cancel(ask(staff, machine.id).pk, actor=as_actor(staff))
        if state:
            asked = ask(staff, machine.id)
            if state == "approved":
                agree(approver, asked)
        client = window(staff)
        with django_assert_max_num_queries(17):
            client.get(url)


class TestElsewhere:
    def test_the_machines_page_leads_there(
        self, machine: peer.Machine, url: str, staff: User, auditor: User, approver: User
    ) -> None:
        pages = [window(user) for user in (staff, auditor)]
        assert [f'href="{url}"' in one.get(f"/machines/{machine.id}/").content.decode() for one in pages] == [
            True,
            False,
        ]
        asked = ask(staff, machine.id)
        for words in (
            "A replacement of this machine has been requested.",
            "The replacement of this machine has been agreed.",
        ):
            for client in pages:
                shown = client.get(f"/machines/{machine.id}/").content.decode()
                assert words in shown
                assert f'href="{url}"' in shown
            if ReplacementRequest.objects.get().state == "pending":
                agree(approver, asked)

    def test_the_revoke_dialog_tells_the_way_back(self, machine: peer.Machine, staff: User) -> None:
        shown = window(staff).get(f"/machines/{machine.id}/").content.decode()
        assert "Only a new replacement" in shown
        assert "cannot be undone" not in shown

    def test_the_list_shows_what_waits(self, vault: Vault, asked: ReplacementRequest, colleague: User) -> None:
        client = window(colleague)
        assert "Replacement asked for" in client.get(f"/vaults/{vault.pk}/machines/").content.decode()
        ReplacementRequest.objects.update(state="cancelled")
        assert "Replacement asked for" not in client.get(f"/vaults/{vault.pk}/machines/").content.decode()


class TestJson:
    """The same by JSON; the rights are those of the domain functions, so a few suffice."""

    @staticmethod
    def call(user: User, method: str, path: str, body: Any = None) -> Any:
        client = window(user)
        data = None if body is None else json.dumps(body)
        return client.generic(method, f"/api/v1/{path}", data or "", content_type="application/json")

    def test_from_asking_to_the_file(self, machine: peer.Machine, staff: User, colleague: User, vault: Vault) -> None:
        made = self.call(staff, "POST", f"machines/{machine.id}/replacements", {"reason": "Fire"})
        assert made.status_code == 201
        shown = made.json()
        asked = ReplacementRequest.objects.get()
        assert {name: shown[name] for name in ("id", "machine_id", "vault_id", "state", "reason", "requested_by")} == {
            "id": str(asked.pk),
            "machine_id": machine.id,
            "vault_id": str(vault.pk),
            "state": "pending",
            "reason": "Fire",
            "requested_by": "staff",
        }
        path = f"replacements/{shown['id']}"
        body = {"comment": "", "digest": shown["digest"]}
        assert self.call(staff, "POST", f"{path}/approve", body).json()["code"] == "own_request"
        stale = {"comment": "", "digest": "0" * 64}
        assert self.call(colleague, "POST", f"{path}/approve", stale).json()["code"] == "content_changed"
        approved = self.call(colleague, "POST", f"{path}/approve", body).json()
        assert (approved["state"], approved["decided_by"]) == ("approved", "colleague")
        issued = self.call(staff, "POST", f"{path}/credentials", {})
        assert (issued.status_code, issued.headers["Cache-Control"]) == (201, "no-store")
        assert register(issued.json(), peer.Machine()).status_code == 201
        listed = self.call(staff, "GET", f"machines/{machine.id}/replacements").json()
        assert [(one["id"], one["state"]) for one in listed["items"]] == [(shown["id"], "used")]
        assert self.call(staff, "POST", f"{path}/credentials", {}).json()["code"] == "stale_state"
        assert self.call(staff, "GET", f"machines/{machine.id}").json()["replaced_at"] is not None

    def test_rejecting_and_cancelling(self, machine: peer.Machine, staff: User, colleague: User) -> None:
        first = ask(staff, machine.id)
        body = {"comment": "", "digest": digest_of(first)}
        assert self.call(colleague, "POST", f"replacements/{first.pk}/reject", body).status_code == 422
        body["comment"] = "No."
        assert self.call(colleague, "POST", f"replacements/{first.pk}/reject", body).json()["state"] == "rejected"
        second = ask(staff, machine.id)
        assert self.call(colleague, "POST", f"replacements/{second.pk}/cancel").status_code == 403
        assert self.call(staff, "POST", f"replacements/{second.pk}/cancel").json()["state"] == "cancelled"

    def test_outsiders_find_nothing(self, asked: ReplacementRequest, outsider: User) -> None:
        calls = [("GET", ""), ("POST", "/approve"), ("POST", "/reject"), ("POST", "/cancel")]
        calls += [("POST", "/credentials"), ("POST", "/credentials/challenge")]
        body = {"comment": "x", "digest": "x"}
        for method, action in calls:
            sent = {} if "credentials" in action else body
            assert self.call(outsider, method, f"replacements/{asked.pk}{action}", sent).status_code == 404
        assert self.call(outsider, "GET", f"machines/{asked.machine_id}/replacements").status_code == 404
        refused = self.call(outsider, "POST", f"machines/{asked.machine_id}/replacements", {"reason": "x"})
        assert refused.status_code == 404

    def test_onlookers_read(self, asked: ReplacementRequest, auditor: User) -> None:
        assert self.call(auditor, "GET", f"replacements/{asked.pk}").status_code == 200
        assert self.call(auditor, "POST", f"replacements/{asked.pk}/credentials", {}).status_code == 403
        assert self.call(auditor, "POST", f"replacements/{asked.pk}/credentials/challenge").status_code == 403

    def test_a_list_costs_the_same_for_many(
        self,
        machine: peer.Machine,
        staff: User,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for _ in range(8):
            replacements.cancel(ask(staff, machine.id).pk, actor=as_actor(staff))
        client = window(staff)
        with django_assert_max_num_queries(5):
            listed = client.get(f"/api/v1/machines/{machine.id}/replacements?limit=5").json()
        assert len(listed["items"]) == 5

    def test_a_key_of_ones_own(self, asked: ReplacementRequest, staff: User, approver: User, vault: Vault) -> None:
        agree(approver, asked)
        path = f"replacements/{asked.pk}/credentials"
        challenge = self.call(staff, "POST", f"{path}/challenge").json()["challenge"]
        key = peer.Machine().key
        message = f"strongroom-credential-1\n{vault.pk}\n{challenge}\n{spki(key)}"
        claim = {"public_key": spki(key), "proof": text(raw(key, message)), "challenge": challenge}
        document = self.call(staff, "POST", path, claim).json()
        assert "private_key" not in document
        assert Credential.objects.get(purpose="replace").key_origin == "browser"
        assert self.call(staff, "POST", path, claim).status_code == 422
        document["private_key"] = keys.private_pem(key)
        assert register(document, peer.Machine()).status_code == 201
