"""Times and sizes as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from portal.templatetags.amounts import ago, binary, distance, duration, exact, lasting, size

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
        '<time datetime="2026-11-22T11:20:00+00:00" title="Sun 22 Nov 2026, 11:20:00 UTC">'
        "Sun 22 Nov 2026, 11:20:00 UTC</time>"
    )


def test_what_goes_on_is_counted_on_by_a_script() -> None:
    assert lasting(NOW, NOW + timedelta(seconds=2)) == "<span>2.0 s</span>"
    assert f'data-since="{NOW.isoformat()}"' in lasting(NOW)
