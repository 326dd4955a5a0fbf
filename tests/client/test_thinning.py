"""What a machine lets go of the list that it is given, and what it takes for a list."""

from datetime import UTC, datetime, timedelta

import pytest
from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.portal import retention
from strongroom_agent.proof import thinning
from strongroom_agent.restic.errors import explain, is_final, refused_removal
from strongroom_agent.restic.snapshots import Snapshot
from strongroom_agent.state.last_snapshot import Made

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PACK = "95cefb1c19fae4ec5095ebb7669dde47e94fcb97571fe893b806e9bc471db17d"
NO = "unexpected HTTP response (403): 403 Forbidden"


def snapshot(name: str, days: float) -> Snapshot:
    """One of so many days ago."""
    return Snapshot(name * 64, times.render(NOW - timedelta(days=days)), ["/srv"], "hr-db-02")


def decided(found: list[Snapshot], listed: str, *, made: str = "", minimum: int = 14) -> tuple[list[str], list[str]]:
    """The beginnings of those that go and of those that are held back."""
    forget = tuple(each * 64 for each in listed)
    answer = retention.RetainAnswer(forget, 1, "", timedelta(days=minimum), None, at_quota=False)
    last = Made(made * 64, times.render(NOW)) if made else None
    chosen = thinning.decide(answer, sorted(found, key=lambda each: each.began_ns), last, NOW)
    return [each.id[0] for each in chosen.go], [each[0] for each in chosen.held_back]


def refusal(found: list[Snapshot], listed: str, **more: object) -> str:
    with pytest.raises(AgentError) as caught:
        decided(found, listed, **more)  # type: ignore[arg-type]
    assert caught.value.code == "retain_refused"
    return caught.value.problem


OF_LONG = [snapshot("a", 90), snapshot("b", 60), snapshot("c", 1)]


def test_what_is_listed_and_there_goes_oldest_first() -> None:
    assert decided(OF_LONG, "bad", made="c") == (["a", "b"], [])
    assert decided(OF_LONG, "") == ([], [])


def test_the_last_one_made_stays_whatever_its_date() -> None:
    assert "the last one that this machine has made" in refusal(OF_LONG, "ab", made="b")


def test_the_newest_stays_also_where_one_is_dated_later_than_now() -> None:
    """A clock that was fast once, or a thief, makes the newest by its date alone."""
    assert "the newest one" in refusal([*OF_LONG, snapshot("f", -400)], "ac")


def test_not_all_go() -> None:
    assert "each snapshot that there is" in refusal([snapshot("a", 90), snapshot("b", 60)], "ab")
    assert "each snapshot that there is" in refusal([snapshot("f", -400)], "f")


def test_the_age_is_counted_to_the_day_within_what_clocks_may_differ() -> None:
    on_time, early = snapshot("b", 14 - 4 / 1440), snapshot("b", 14 - 6 / 1440)
    assert decided([OF_LONG[0], on_time, OF_LONG[2]], "ab") == (["a", "b"], [])
    said = refusal([OF_LONG[0], early, OF_LONG[2]], "ab")
    assert "1 snapshot younger than the minimum retention of 14 days, beginning with bbbbbbbb of 14 Nov 2026" in said


def test_a_date_in_the_future_tells_no_age() -> None:
    assert decided([*OF_LONG, snapshot("f", -400)], "af") == (["a"], ["f"])


GOOD: dict[str, object] = {
    "ok": True,
    "forget": ["a" * 64, "a" * 64],
    "keep": 3,
    "policy": "Keep everything within 30 days.",
    "minimum_retention_days": 14,
    "until": "2026-11-29T12:00:00.000000Z",
    "at_quota": False,
}


def test_an_answer_is_read() -> None:
    found = retention.parsed(GOOD)
    assert (found.forget, found.keep, found.minimum) == (("a" * 64,), 3, timedelta(days=14))
    assert (found.until, found.at_quota) == (NOW + timedelta(days=1), False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"forget": None},
        {"forget": "a" * 64},
        {"forget": ["latest"]},
        {"forget": ["a" * 63]},
        {"forget": ["a" * 64 + "\n"]},
        {"forget": [1]},
        {"keep": "1"},
        {"keep": -1},
        {"minimum_retention_days": 0},
        {"minimum_retention_days": True},
        {"minimum_retention_days": 10**30},
        {"at_quota": "no"},
        {"until": "soon"},
        {"until": 5},
        {"policy": 1},
    ],
)
def test_what_is_no_answer_is_not_read(wrong: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        retention.parsed({**GOOD, **wrong})


@pytest.mark.parametrize("lacking", [name for name in GOOD if name != "ok"])
def test_an_answer_without_a_field_is_none(lacking: str) -> None:
    with pytest.raises(KeyError):
        retention.parsed({name: value for name, value in GOOD.items() if name != lacking})


@pytest.mark.parametrize("kind", ["data", "snapshot"])
def test_a_deletion_that_is_refused_does_not_end_restic(kind: str) -> None:
    assert is_final(f"Remove(<{kind}/95cefb1c19>) failed: {NO}") is False


@pytest.mark.parametrize(
    "line",
    [
        f"Remove(<lock/95cefb1c19>) failed: {NO}",
        f"Save(<data/95cefb1c19>) failed: {NO}",
        f"Load(<data/95cefb1c19>, 0, 0) failed: {NO}",
        f"Fatal: unable to open config file: Remove(<data/95cefb1c19>) failed: {NO}",
        "Remove(<data/95cefb1c19>) failed: unexpected HTTP response (507): 507 Insufficient Storage",
    ],
)
def test_every_other_no_does(line: str) -> None:
    assert is_final(line) is True


def test_a_refused_deletion_is_not_why_restic_failed() -> None:
    refused = [f"Remove(<data/{PACK[:10]}>) failed: {NO}", f"unable to remove data/{PACK} from the repository"]
    full = (
        "Save(<index/aa>) returned error, retrying after 1s: unexpected HTTP response (507): 507 Insufficient Storage"
    )
    assert explain("prune", 130, [*refused, full]).code == "quota_full"
    assert explain("prune", 1, [*refused, f"Load(<index/aa>, 0, 0) failed: {NO}"]).code == "not_allowed"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"unable to remove data/{PACK} from the repository", PACK),
        (f"unable to remove snapshot/{PACK} from the repository", PACK),
        (f"unable to remove index/{PACK} from the repository", ""),
        (f"unable to remove data/{PACK[:10]} from the repository", ""),
        (f"Remove(<data/{PACK[:10]}>) failed: {NO}", ""),
    ],
)
def test_what_was_refused_is_read_by_its_whole_name(line: str, name: str) -> None:
    assert refused_removal(line) == name
