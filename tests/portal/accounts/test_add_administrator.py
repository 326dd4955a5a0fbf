"""`manage.py add_administrator`: the first sign-in of a production."""

import io

import pytest
from django.core.management import CommandError, call_command

from portal.accounts.models import User
from portal.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def add(username: str, password: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the command says, with the password on its standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    out = io.StringIO()
    call_command("add_administrator", username, stdout=out)
    return out.getvalue()


def test_makes_an_administrator_who_can_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """With that role alone, audited, and without a word about the password."""
    said = add("grace", "tall ships and steam", monkeypatch)
    user = User.objects.get()
    assert (user.username, user.is_administrator, user.is_approver, user.is_auditor) == ("grace", True, False, False)
    assert user.check_password("tall ships and steam")
    assert said == "grace is an administrator now, and can sign in.\n"
    event = AuditEvent.objects.get()
    assert (event.action, event.via, event.detail) == ("user:create", "command", {"roles": ["administrator"]})


@pytest.mark.parametrize(
    ("username", "password"), [("grace", "short"), ("grace", ""), ("a name", "tall ships and steam")]
)
def test_refuses_what_the_site_would_refuse(username: str, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weak password or an odd name: a sentence, and nobody is made."""
    with pytest.raises(CommandError):
        add(username, password, monkeypatch)
    assert not User.objects.exists()


def test_refuses_a_name_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its case; the person who has it stays as they are."""
    add("grace", "tall ships and steam", monkeypatch)
    with pytest.raises(CommandError):
        add("Grace", "another long secret", monkeypatch)
    assert User.objects.get().check_password("tall ships and steam")
