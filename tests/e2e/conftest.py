"""People who are signed in, each in a window of their own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.edge_world import untouched as untouched  # fixtures
from tests.e2e.edge_world import world as world
from tests.e2e.people import Person, SignIn
from tests.portal_process import Portal


@pytest.fixture
def sign_in(portal: Portal, browser: Browser) -> Iterator[SignIn]:
    """Signs a person in, each in a window of their own; the windows are closed at the end of the test."""
    people: list[Person] = []

    def enter(username: str) -> Person:
        person = Person(browser, portal.portal_url, username, portal.accounts[username])
        people.append(person)
        return person

    yield enter
    for person in people:
        person.context.close()
