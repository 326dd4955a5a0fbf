"""Dates have one form wherever Django writes them by itself: the admin site, and templates that name the format."""

from datetime import UTC, datetime

import pytest
from django.template import engines
from django.utils import formats

from portal.core import times

NOON = datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize("name", ["DATETIME_FORMAT", "SHORT_DATETIME_FORMAT"])
def test_a_time_of_the_admin_site_is_that_of_the_pages(name: str) -> None:
    assert formats.date_format(NOON, name) == times.for_people(NOON) == "2 Mar 2026, 09:05 UTC"


@pytest.mark.parametrize("name", ["DATE_FORMAT", "SHORT_DATE_FORMAT"])
def test_a_day_too(name: str) -> None:
    assert formats.date_format(NOON, name) == times.day(NOON)


def test_a_template_that_names_the_format_has_it_too() -> None:
    template = engines["django"].from_string('{{ moment|date:"DATETIME_FORMAT" }}|{{ moment }}')
    assert template.render({"moment": NOON}) == "|".join([times.for_people(NOON)] * 2)
