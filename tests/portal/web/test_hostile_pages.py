"""What an attacker tries on every page there is: keys of others, other methods, no token, odd input, forged hosts."""

import itertools
import logging
import re
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client, RequestFactory
from django.utils import timezone

from portal.accounts import tokens
from portal.accounts.authentication import Password
from portal.accounts.models import Subscription, User
from portal.audit.models import AuditEvent
from portal.notifications.models import Notification
from portal.wsgi import application
from tests.agents import replacing
from tests.agents.factories import credential_of, machine_in, receipt_of, release_of
from tests.factories import PASSWORD, as_actor
from tests.site import filled, pages
from tests.vaults.factories import Ask, asking, paired_regions
from tests.vaults.pages import window
from vaults.credentials import one_time_codes
from vaults.models import Vault

FOR_STRANGERS = {
    "/accounts/login/",
    "/accounts/logout/",
    "/accounts/theme/",
    "/health/live",
    "/health/ready",
    "/gateway/remove",  # takes the edge's secret
    "/gateway/key",
}
FOR_ADMINISTRATORS = {"/admin/", "/admin/accounts/user/", "/admin/accounts/subscription/", "/admin/vaults/region/"}
# Entries of the audit log, and releases of the agent, are for one role: without it, 403 for any number
# (tests/portal/audit/test_log.py, tests/agents/views/test_updates.py).
WITH_KEYS = [path for path in pages() if "<" in path and not path.startswith(("audit/", "agents/updates/"))]
METHODS = ("PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
PAGES = [path for path in pages() if not path.startswith("health/")]  # those ask the parts, and are for everybody
# What pages read from their address, beside the cursor that all lists have.
QUESTIONS = {
    "accounts/login/": ("next",),
    "audit/": ("person", "action", "vault", "machine", "credential", "since", "until", "refused"),
    "notifications/": ("show",),
    "requests/": ("state", "sort"),
    "search/": ("q",),
    "search/suggestions/": ("q",),
    "vaults/": ("show", "region", "subscription", "q", "sort"),
    "vaults/new/": ("subscription",),
    "vaults/new/name/": ("subscription", "name"),
    "vaults/new/redundancy/": ("region", "redundancy"),
    "machines/<uuid:machine_id>/bring-back/": ("as_of", "time"),
    "vaults/<uuid:vault_id>/configure/retention/": ("keep_within_days", "keep_weekly_within_weeks"),
    "vaults/<uuid:vault_id>/machines/": ("show",),
    "vaults/<uuid:vault_id>/quick-start/": ("seen",),
}
ODD = ("\0", "²", "9" * 30, "-1", "1e9", "9" * 5000, "\ud800", "0001-01-01", "9999-12-31", "[]")

Keys = dict[str, object]


@pytest.fixture
def ask(staff: User, subscription: Subscription) -> Ask:
    """Asks for a vault as `staff`, in regions that are paired."""
    return asking(as_actor(staff), subscription, paired_regions()[0])


@pytest.fixture
def keys(vault: Vault, staff: User, ask: Ask) -> Keys:
    """One of each that staff have, and nobody else may know of."""
    machine = machine_in(vault, credential_of(vault, staff))
    token, _ = tokens.make("script", actor=as_actor(staff), scope="full", days=1, answer=Password(PASSWORD))
    now = timezone.now()
    notification = Notification.objects.create(key="x", user=staff, title="secret", started_at=now, updated_at=now)
    return {
        "codes": one_time_codes.show(vault.pk, actor=as_actor(staff)).code.pk,
        "vaults": vault.pk,
        "machines": machine.pk,
        "requests": ask("Archive").pk,
        "tokens": token.pk,
        "notifications": notification.pk,
        "replacements": replacing.ask(staff, machine.pk).pk,
        "audit": AuditEvent.objects.latest("pk").pk,
        "receipts": receipt_of(machine).run_id,
        "updates": release_of("1.1.0").pk,
    }


@pytest.fixture
def nowhere(keys: Keys) -> Keys:
    """Keys of nothing."""
    return dict.fromkeys(keys, uuid.UUID(int=1))


def test_strangers_get_the_sign_in_and_nothing_else(keys: Keys) -> None:
    for path, method in itertools.product((filled(template, keys) for template in PAGES), ("GET", "POST")):
        answer = Client().generic(method, path)
        if path not in FOR_STRANGERS | {"/"}:
            assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/"), path


@pytest.mark.parametrize("fragment", [False, True])
def test_what_others_have_looks_like_what_nobody_has(fragment: bool, keys: Keys, nowhere: Keys, outsider: User) -> None:
    """For whatever method, also as a fragment: 404, and no difference by which one could learn that it is there."""
    headers = {"HX-Request": "true", "HX-Target": "quick-start"} if fragment else {}
    client = window(outsider)
    for template, method in itertools.product(WITH_KEYS, ("GET", "HEAD", "POST")):
        theirs, nobodys = (client.generic(method, filled(template, each), headers=headers) for each in (keys, nowhere))
        assert theirs.status_code == nobodys.status_code, (method, template)
        assert theirs.status_code in {404, 405}, (method, template)
        assert _without_keys(theirs.content, keys) == _without_keys(nobodys.content, nowhere), (method, template)


def _without_keys(content: bytes, keys: Keys) -> bytes:
    """The page without what differs anyhow: the key that was asked for, and tokens."""
    text = content.decode()
    for key in keys.values():
        text = text.replace(str(key), "KEY") if isinstance(key, uuid.UUID) else text
    return "\n".join(line for line in text.splitlines() if "csrf" not in line.lower()).encode()


def test_no_page_changes_anything_without_the_token(keys: Keys, staff: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    for template in pages():
        answer = client.post(filled(template, keys), {"confirm": "hr-db-02", "reason": "x", "redundancy": "local"})
        # The sign-in leads on whoever is signed in.
        assert answer.status_code in ({302} if template == "accounts/login/" else {403, 405}), template


def test_other_methods_do_nothing(keys: Keys, staff: User) -> None:
    client = window(staff)
    for template, method in itertools.product(pages(), METHODS):
        allowed = {200, 302, 405} if template in {"", "accounts/login/", "accounts/tokens/"} else {405}
        answer = client.generic(method, filled(template, keys), b"redundancy=local")
        assert answer.status_code in allowed, (method, template)


@pytest.mark.parametrize("template", PAGES)
def test_odd_questions_break_nothing(template: str, keys: Keys, staff: User) -> None:
    """An exception that no view expects would be raised here, instead of becoming a 500."""
    User.objects.filter(pk=staff.pk).update(is_auditor=True)
    client = window(staff)
    for name, odd in itertools.product((*QUESTIONS.get(template, ()), "after"), ODD):
        answer = client.get(filled(template, keys), {name: odd.encode("utf-8", "surrogatepass")})
        assert answer.status_code in {200, 302, 403, 404, 405, 422}, (name, odd)


@pytest.mark.parametrize("path", sorted(FOR_ADMINISTRATORS))
@pytest.mark.parametrize("who", ["staff", "approver", "auditor"])
def test_the_admin_site_is_for_administrators(path: str, who: str, request: pytest.FixtureRequest) -> None:
    for method in ("GET", "POST"):
        assert window(request.getfixturevalue(who)).generic(method, path).status_code in {302, 403}
    assert window(request.getfixturevalue(who)).get(path, follow=True).status_code == 403


def test_an_administrator_sees_no_data_of_others(keys: Keys, administrator: User) -> None:
    """The role sets up people and regions; it opens no vault."""
    for template in WITH_KEYS:
        assert window(administrator).get(filled(template, keys)).status_code in {404, 405}, template
    assert window(administrator).get("/audit/").status_code == 403


def test_pages_are_kept_by_nobody_else(keys: Keys, staff: User) -> None:
    for template in PAGES:
        answer = window(staff).get(filled(template, keys))
        assert {"private", "no-store"} & {part.strip() for part in answer["Cache-Control"].split(",")}, template
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], template
        assert "unsafe" not in answer["Content-Security-Policy"], template
        assert "public" not in answer["Cache-Control"], template


@pytest.mark.parametrize(
    "target",
    [
        *("//evil.example", "https://evil.example/", "http:evil.example", "/\\evil.example", "\\\\evil.example"),
        *(
            "javascript:alert(1)",
            "///evil.example",
            "/\t/evil.example",
            "https:/evil.example",
            "http://testserver@evil.example",
        ),
        *("/\r\nLocation: https://evil.example", "data:text/html,x", "//testserver:80@evil.example/"),
        # What is an address on this site, but none of a page: some are names of views, or look for one.
        *(
            "x",
            "?a",
            "#",
            ".",
            "../x",
            "login",
            "home",
            "portal",
            "é",
            "x\n2026 WARNING all is lost",
            "http://[",
            "a" * 2000,
        ),
    ],
)
def test_no_door_leads_elsewhere(target: str, staff: User) -> None:
    """After signing in, from the theme form, from a notification, from the admin's sign-in."""
    client = Client()
    signed_in = client.post("/accounts/login/", {"username": "staff", "password": PASSWORD, "next": target})
    themed = client.post("/accounts/theme/", {"theme": "dark", "next": target})
    until = {"until": timezone.now().isoformat()}
    dismissed = client.post("/notifications/dismiss/", until, headers={"Referer": re.sub(r"[\r\n]", "", target)})
    again = client.get("/accounts/login/", {"next": target})
    late = Client(enforce_csrf_checks=True)
    late.cookies = client.cookies
    unproven = late.post("/accounts/login/", {"username": "staff", "password": PASSWORD, "next": target})
    for answer in (signed_in, themed, dismissed, again, unproven):
        assert answer.status_code == 302
        where = urlsplit(answer["Location"])
        assert (where.scheme, where.netloc, where.path[:1]) == ("", "", "/")
        assert not {"\r", "\n", "\\"} & set(answer["Location"])


@pytest.mark.parametrize("header", ["Origin", "Referer"])
@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/theme/", "/notifications/dismiss/", "/vaults/new/"])
@pytest.mark.parametrize("signed_in", [False, True])
def test_a_sender_that_is_no_address_is_not_ours(path: str, header: str, signed_in: bool, staff: User) -> None:
    client = Client(enforce_csrf_checks=True)
    if signed_in:
        client.force_login(staff)
    for sender in ("http://[", "http://[::1", "//"):
        assert client.post(path, {"a": "b"}, headers={header: sender}).status_code in {302, 403}


def asked(path: str, kind: str, body: bytes = b"") -> str:
    """The status of a request as the server hands it over, with a Content-Type that Django's client would not send."""
    answers: list[str] = []
    environ = RequestFactory().generic("POST" if body else "GET", path, body, content_type="x/y").environ
    environ["CONTENT_TYPE"] = kind

    def begin(status: str, headers: object, error: object = None, /) -> Callable[[bytes], object]:
        answers.append(status)
        return lambda _: None

    response = application(environ, begin)
    response.close()
    return answers[0]


CODECS = ("hex", "zip", "base64", "rot13", "idna", "punycode", "undefined", "utf-16", "utf-7", "cp037", "no-such")


@pytest.mark.django_db
@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("spelt", ["; charset={}", '; Charset="{}"', "; charset*=utf-8''{}"])
def test_no_charset_breaks_a_page(name: str, spelt: str) -> None:
    """It is not asked for: texts are UTF-8."""
    more = spelt.format(name)
    for path in ("/accounts/login/?next=/x", "/vaults/?q=1", "/api/v1/nope?x=1"):
        assert asked(path, f"text/plain{more}")[:3] in {"200", "302", "401"}
    form = f"multipart/form-data; boundary=x{more}"
    for kind in (form, f"application/x-www-form-urlencoded{more}"):
        assert asked("/accounts/login/", kind, b"username=x&password=y")[:3] == "403"


def test_a_form_in_the_place_of_json_is_told_so(staff: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    client.cookies[settings.CSRF_COOKIE_NAME] = "a" * 32
    headers = {"X-CSRFToken": "a" * 32, "Referer": "http://testserver/"}
    answer = client.post("/api/v1/vault-requests", {"name": "x"}, headers=headers)
    assert (answer.status_code, answer.json()["errors"]) == (422, {"body": ["This is not JSON."]})


def test_a_session_that_somebody_planted_is_not_the_one_that_is_signed_in(staff: User) -> None:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32
    client.get("/accounts/login/")
    client.post("/accounts/login/", {"username": "staff", "password": PASSWORD})
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie.value != "a" * 32
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"


def test_a_session_cookie_that_was_copied_ends_with_the_sign_out(staff: User) -> None:
    client, thief = Client(), Client()
    client.post("/accounts/login/", {"username": "staff", "password": PASSWORD})
    thief.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert thief.get("/accounts/").status_code == 200
    client.post("/accounts/logout/")
    assert thief.get("/accounts/").status_code == 302


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "localhost:8000@evil.example", "[::1]x", ""]
)
def test_a_forged_host_gets_no_page(host: str, staff: User) -> None:
    client = window(staff)
    for headers in ({"Host": host}, {"Host": "testserver", "X-Forwarded-Host": host}):
        answer = client.get("/vaults/", headers=headers)
        if headers["Host"] == host:
            assert answer.status_code == 400
        assert "evil" not in answer.content.decode()


def test_a_line_end_in_an_address_makes_no_line_in_a_log(staff: User, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        window(staff).get("/nothing%0a2026-01-01 WARNING forged%0d%1b[2J")
    for line in caplog.messages:
        assert not {"\n", "\r", "\x1b"} & set(line)
    assert any("forged" in line for line in caplog.messages)


def test_a_line_end_in_a_value_makes_no_header(vault: Vault, staff: User) -> None:
    """The one name that gets into a header is that of a vault, whose alphabet has no line ends; if it had, it would be
    encoded."""
    Vault.objects.filter(pk=vault.pk).update(name='x"\r\nSet-Cookie: a=b')
    answer = window(staff).post(f"/vaults/{vault.pk}/credentials/", {"machines": "1"})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert not {"\r", "\n"} & set(answer["Content-Disposition"])
