"""`make dev` and `make check`: which parts a changed file concerns, and which tests a place has."""

from pathlib import Path

import pytest

from deploy import dev
from tests import check


@pytest.mark.parametrize(
    ("paths", "parts"),
    [
        (["templates/base.html"], ["front:web"]),
        (["static/css/base.css"], ["front:web"]),
        (["vaults/requests/validation.py"], ["front:web", "front:gate", "front:worker"]),
        (["templates/base.html", "portal/urls.py"], ["front:web", "front:gate", "front:worker"]),
    ],
)
def test_parts_that_have_loaded_a_file(paths: list[str], parts: list[str]) -> None:
    assert dev.concerned(map(Path, paths)) == parts


@pytest.mark.parametrize(
    ("place", "tests"),
    [
        ("vaults/requests", ["tests/vaults/requests"]),
        ("vaults/requests/vault_requests.py", ["tests/vaults/requests/test_vault_requests.py"]),
        ("vaults/requests/events.py", ["tests/vaults/requests"]),
        ("vaults/models/core.py", ["tests/vaults"]),
        ("agents/client/strongroom_agent/restic/process.py", ["tests/client"]),
        ("tests/agents/enrolment", ["tests/agents/enrolment"]),
        ("templates/base.html", []),
    ],
)
def test_tests_of_a_place(place: str, tests: list[str]) -> None:
    assert check.tests_of(Path(place)) == list(map(Path, tests))


@pytest.mark.parametrize("places", [[], ["nowhere"], ["/etc"], ["."]])
def test_a_place_that_is_none(places: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(places) == 2
    assert "make check T=vaults/requests" in capsys.readouterr().err
