"""Passwords that are refused because they are guessed soon, and such as are not."""

import pytest
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

from portal.accounts.models import User
from tests.portal.pages import text, window

WEAK = [
    "short",
    "123456789012",
    "837261940572",
    "passwordpassword",
    "P@ssw0rd1234",
    "qwertyuiop12",
    "aaaaaaaaaaaaa",
    "abcabcabcabc",
    "strongroom123",
    "mmustermann12",
    "mmustermannmmustermann",
    "Martina.Mustermann1",
    "mustermann-martina",
    "martina@example.org",
]
GOOD = ["correct horse battery", "a new and better one", "Tr4ktor im Nebel", "k7#Vp2!qLm9x", "x" * 10 + "?kR9" * 1000]


@pytest.fixture
def martina() -> User:
    return User(username="mmustermann", full_name="Martina Mustermann", email="martina@example.org")


@pytest.mark.parametrize("password", WEAK)
def test_weak_ones(password: str, martina: User) -> None:
    with pytest.raises(ValidationError):
        password_validation.validate_password(password, martina)


@pytest.mark.parametrize("password", GOOD, ids=lambda password: password[:20])
def test_good_ones(password: str, martina: User) -> None:
    password_validation.validate_password(password, martina)
    password_validation.validate_password(password)


@pytest.mark.django_db
def test_the_reason_is_beside_the_field(staff: User) -> None:
    form = {"old": "correct horse battery", "new": "qwertyuiop12", "again": "qwertyuiop12"}
    page = text(window(staff).post("/accounts/password/", form))
    assert "This password is easy to guess. This is similar to a commonly used password." in page
    assert "your own names are not accepted" in page
