"""When a backup is due: what is typed, what that means on the clock, and what it means when the clock is changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strongroom_agent.core.errors import AgentError
from strongroom_agent.schedule import calendar
from strongroom_agent.schedule.calendar import Calendar

MOMENTS = st.integers(1_577_836_800, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC))
BERLIN = ZoneInfo("Europe/Berlin")
calendars = st.builds(
    lambda days, hour, minute: Calendar(tuple(sorted(days)), hour, minute),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 23),
    st.integers(0, 59),
)


@pytest.mark.parametrize(
    ("words", "written", "hours"),
    [
        ("daily 02:30", "daily 02:30", 24),
        ("daily 2:05", "daily 02:05", 24),
        ("weekly mon 23:59", "weekly Mon 23:59", 168),
        ("weekly Sunday,WED 00:00", "weekly Wed,Sun 00:00", 96),
        ("weekly mon,tue,wed,thu,fri 01:00", "weekly Mon,Tue,Wed,Thu,Fri 01:00", 72),
        ("weekly mon,tue,wed,thu,fri,sat,sun 01:00", "daily 01:00", 24),
        ("weekly mon,mon 01:00", "weekly Mon 01:00", 168),
    ],
)
def test_what_is_typed(words: str, written: str, hours: int) -> None:
    found = calendar.parse(words.split())
    assert (str(found), found.every_hours) == (written, hours)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "schedule: nothing is no schedule."),
        ("hourly", "schedule: hourly is no schedule."),
        ("daily", "schedule: daily takes one time, not 0 words."),
        ("daily 02:30 03:30", "schedule: daily takes one time, not 2 words."),
        ("daily 24:00", "schedule: '24:00' is no time of day."),
        ("daily 2:5", "schedule: '2:5' is no time of day."),
        ("daily ٠٢:٣٠", "schedule: '٠٢:٣٠' is no time of day."),
        ("daily 02:30\n", "schedule: '02:30\\n' is no time of day."),
        ("weekly 02:30", "schedule: weekly takes days and one time, not 1 word."),
        ("weekly mo 02:30", "schedule: 'mo' is no day of the week."),
        ("weekly mon, 02:30", "schedule: '' is no day of the week."),
        ("weekly mon,frid 02:30", "schedule: 'frid' is no day of the week."),
    ],
)
def test_what_is_no_schedule_is_told(words: str, said: str) -> None:
    with pytest.raises(AgentError) as caught:
        calendar.parse(words.split(" ") if words else [])
    assert (caught.value.code, caught.value.problem) == ("usage", said)
    assert caught.value.remedy


@given(calendars)
def test_what_is_written_is_read_as_the_same(found: Calendar) -> None:
    assert calendar.parse(str(found).split(" ")) == found


@given(calendars, MOMENTS)
def test_of_two_moments_one_after_the_other_none_is_between(found: Calendar, moment: datetime) -> None:
    now = moment
    before, after = found.before(now, BERLIN), found.after(now, BERLIN)
    assert before <= now < after
    assert found.before(after, BERLIN) == after
    assert found.after(before, BERLIN) == after
    assert after - before <= timedelta(hours=found.every_hours + 1)  # the day on which the clock goes back is longer


@given(calendars, MOMENTS)
def test_where_no_clock_changes_it_is_that_time_on_that_day(found: Calendar, moment: datetime) -> None:
    after = found.after(moment, UTC)
    assert after.weekday() in found.days
    assert (after.hour, after.minute) == (found.hour, found.minute)


def test_a_time_that_is_skipped_comes_an_hour_later_and_one_that_is_twice_comes_once() -> None:
    nightly = calendar.parse(["daily", "02:30"])
    assert nightly.after(datetime(2026, 3, 29, 0, 0, tzinfo=UTC), BERLIN) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    first = nightly.after(datetime(2026, 10, 24, 12, 0, tzinfo=UTC), BERLIN)
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert nightly.after(first, BERLIN) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_a_random_time_is_in_the_night() -> None:
    found = [calendar.of_night() for _ in range(200)]
    assert {each.hour for each in found} <= set(range(6))
    assert len({str(each) for each in found}) > 50
    assert all(each.daily for each in found)
