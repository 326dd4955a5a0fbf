"""Times and sizes as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from portal.core import times
from portal.templatetags.amounts import ago, binary, clock, distance, duration, exact, lasting, plural, size

NOW = datetime(2026, 11, 22, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=29, hours=23), "29 days ago"),
        (timedelta(days=30), "23 Oct 2026"),
        (-timedelta(seconds=30), "in less than a minute"),
        (-timedelta(minutes=1), "in 1 minute"),
        (-timedelta(days=6, hours=3), "in 6 days"),
    ],
)
def test_distance(gap: timedelta, words: str) -> None:
    assert distance(NOW - gap, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0.0 s"), (0.44, "0.4 s"), (9.94, "9.9 s"), (10, "10 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (10 * 1024, "10.0 KiB"),
        (1023 * 1024, "1.00 MiB"),
        (24 * 2**20, "24.0 MiB"),
        (int(1.46 * 2**30), "1.46 GiB"),
        (10**18, "888 PiB"),
        (10**21, "888178 PiB"),
    ],
)
def test_binary(number: int, words: str) -> None:
    assert binary(number) == words
    assert size(number) == words


def test_what_is_not_known_is_a_dash_or_a_word() -> None:
    assert (ago(None), exact(None), size(None)) == ("–", "–", "–")
    assert ago(None, "never") == "never"


def test_the_exact_time_is_in_the_tooltip() -> None:
    assert exact(NOW) == (
        '<time datetime="2026-11-22T11:20:00+00:00" title="22 Nov 2026, 11:20:00 UTC">22 Nov 2026, 11:20 UTC</time>'
    )


def test_what_goes_on_is_counted_on_by_a_script() -> None:
    assert lasting(NOW, NOW + timedelta(seconds=2)) == "<span>2.0 s</span>"
    assert f'data-since="{NOW.isoformat()}"' in lasting(NOW)


def test_every_form_of_a_time_is_of_one_kind() -> None:
    assert times.day(NOW) == "22 Nov 2026"
    assert times.for_people(NOW) == "22 Nov 2026, 11:20 UTC"
    assert times.exactly(NOW) == "22 Nov 2026, 11:20:00 UTC"
    assert clock(NOW) == (
        '<time datetime="2026-11-22T11:20:00+00:00" title="22 Nov 2026, 11:20:00 UTC">11:20:00'
        '<span class="sub">22 Nov 2026</span></time>'
    )


def test_a_day_has_no_leading_zero_and_is_that_of_utc() -> None:
    late = datetime(2026, 3, 2, 1, 30, tzinfo=timezone(timedelta(hours=14)))
    assert times.for_people(late) == "1 Mar 2026, 11:30 UTC"


@pytest.mark.parametrize(
    ("number", "noun", "many", "words"),
    [
        (0, "file", "", "0 files"),
        (1, "file", "", "1 file"),
        (20_000, "file", "", "20,000 files"),
        ("1", "vault", "", "1 vault"),
        ("1,000+", "vault", "", "1,000+ vaults"),
        (2, "copy", "copies", "2 copies"),
    ],
)
def test_one_thing_and_several(number: int | str, noun: str, many: str, words: str) -> None:
    assert plural(number, noun, many) == words
