"""A clock that is wrong is told as that, never as a file that has expired."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from strongroom_agent.core import times
from strongroom_agent.core.sizes import duration
from strongroom_agent.portal import clock

from .authority import Authority
from .serving import serving
from .world import World

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(seconds=1), "1 second"),
        (timedelta(minutes=5, seconds=2), "5 minutes 2 seconds"),
        (timedelta(hours=49, minutes=3), "2 days 1 hour"),
        (timedelta(minutes=575999, seconds=42), "1 year 34 days"),
        (timedelta(0), "0 seconds"),
    ],
)
def test_lengths_of_time_are_for_people(length: timedelta, text: str) -> None:
    assert duration(length) == text


def test_five_minutes_are_near_enough() -> None:
    assert clock.skewed(NOW, NOW + timedelta(minutes=5)) is None
    error = clock.skewed(NOW + timedelta(days=3, hours=2), NOW)
    assert error is not None
    assert (error.code, error.details["skew_seconds"]) == ("clock_skew", 266400)
    assert error.problem == (
        "This machine's clock is 3 days 2 hours fast: it says 28 Nov 2026, 14:00 UTC, the portal's says "
        "25 Nov 2026, 12:00 UTC."
    )


@pytest.mark.parametrize("off", [timedelta(days=3), timedelta(days=30 * 365), timedelta(days=-400)])
def test_setup_with_a_wrong_clock_gives_both_times(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: timedelta
) -> None:
    with serving(authority, tmp_path, tmp_path / "no-storage") as peer:
        world = World(tmp_path, peer)
        world.fill()
        path = tmp_path / "given"
        path.write_text("x" * 20)
        real = datetime.now(UTC)
        monkeypatch.setattr(times, "now", lambda: datetime.now(UTC) + off)
        ran = world.setup()
    assert (ran.status, ran.answer["code"]) == (3, "clock_skew")
    assert ("fast" if off > timedelta(0) else "slow") in ran.answer["message"]
    assert times.for_people(real + off)[:10] in ran.answer["message"]


def test_without_the_portal_one_s_own_clock_counts(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(authority, tmp_path, tmp_path / "no-storage") as peer:
        world = World(tmp_path, peer)
        world.fill()
        credential = peer.credential()
    monkeypatch.setattr(times, "now", lambda: datetime.now(UTC) + timedelta(days=3))
    assert world.setup(credential=credential).answer["code"] == "credential_expired"
