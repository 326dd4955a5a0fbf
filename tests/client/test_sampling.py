"""What a restore check proves where there is too much to prove all of it each time."""

import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from strongroom_agent.proof import parts, proven, sampling
from strongroom_agent.proof.proven import fingerprint
from strongroom_agent.proof.sampling import Budget, draw
from strongroom_agent.restic.snapshots import Listed
from strongroom_agent.state.home import Home

from tests.long import MANY

GIB = 1024**3
BUDGET = Budget(100 * GIB, 8)
SIZES = st.lists(st.integers(0, 300).map(lambda number: number * GIB), min_size=1, max_size=40)


def seeded(number: int) -> random.Random:
    """So that a failure can be had again; the program itself asks the operating system."""
    return random.Random(number)  # noqa: S311 - see above


SEEDS = st.integers(0, 2**32).map(seeded)


def listing(sizes: list[int]) -> list[Listed]:
    """Files of these sizes, each in a folder of its own."""
    return [Listed(f"/d{number:03}/f", size, 0, 0) for number, size in enumerate(sizes)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_everything_is_proven_where_that_is_little() -> None:
    files = listing([GIB // 2] * 4)
    assert draw(files, {}, Budget(1, 1)).files == files
    assert draw([], {}, BUDGET).files == []


@hypothesis_settings(max_examples=200 * MANY)
@given(SIZES, st.data(), SEEDS)
def test_a_sample_stays_within_its_budget_and_has_no_file_twice(
    sizes: list[int], data: st.DataObject, by: random.Random
) -> None:
    files = listing(sizes)
    known = data.draw(st.lists(st.sampled_from(files)).map(lambda some: {fingerprint(each): 3 for each in some}))
    sample = draw(files, known, BUDGET, by=by).files
    assert len({id(each) for each in sample}) == len(sample)
    assert {id(each) for each in sample} <= {id(each) for each in files}
    assert len(sample) >= 1
    if sum(sizes) > sampling.EVERYTHING_UP_TO and min(sizes) <= BUDGET.bytes:
        assert sum(each.size for each in sample) <= BUDGET.bytes
        assert len(sample) <= BUDGET.files


@hypothesis_settings(max_examples=100 * MANY)
@given(SIZES, st.data(), SEEDS)
def test_what_is_named_is_in_every_sample(sizes: list[int], data: st.DataObject, by: random.Random) -> None:
    files = listing(sizes)
    named = data.draw(st.sets(st.sampled_from(range(len(files))), max_size=5))
    names = [f"/d{number:03}" if number % 2 else f"/d{number:03}/f" for number in named]
    sample = draw(files, {}, BUDGET, [*names, "/nowhere", "/d00"], by)
    assert {f"/d{number:03}/f" for number in named} <= {each.path for each in sample.files}
    assert (sample.named, sample.missing) == (len(named), ("/nowhere", "/d00"))


def test_nobody_can_say_that_a_file_will_not_be_drawn() -> None:
    """Not the largest nor the smallest, not the one that was proven just now, nor the one that was proven first."""
    files = listing([100 * GIB, 60 * GIB, *[GIB] * 60, 0])
    for known in ({}, {fingerprint(each): 9 for each in files}, {fingerprint(each): 9 for each in files[:3]}):
        drawn = Counter(each.path for _ in range(1500) for each in draw(files, known, BUDGET).files)
        assert drawn.keys() == {each.path for each in files}


def test_the_system_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator that is seeded with something could be guessed."""
    random.seed(7)
    one = [each.path for each in draw(listing([GIB] * 500), {}, BUDGET).files]
    random.seed(7)
    assert one != [each.path for each in draw(listing([GIB] * 500), {}, BUDGET).files]
    made = list[object]()
    monkeypatch.setattr(random, "Random", made.append)  # any other generator
    draw(listing([GIB] * 50), {}, BUDGET)
    assert made == []


@pytest.mark.parametrize("seed", range(3 * MANY))
def test_in_the_end_everything_was_proven(seed: int, home: Home) -> None:
    """Also what is larger than a quarter of a sample, while new files come each day."""
    by, files = seeded(seed), listing([100 * GIB, 70 * GIB, 30 * GIB, *[2 * GIB] * 40, *[0] * 40])
    first = {each.path for each in files}
    seen = set[str]()
    for day in range(400):
        files.append(Listed(f"/new/{day}", 5 * GIB, 0, 0))
        sample = draw(files, proven.known(home), BUDGET, by=by).files
        proven.note(home, files, sample, [], day)
        seen |= {each.path for each in sample}
        if first <= seen:
            return
    pytest.fail(f"never proven: {sorted(first - seen)}")


def test_a_giant_is_read_once_in_a_while_and_not_in_a_days_sample() -> None:
    files = listing([500 * GIB, 400 * GIB, *[GIB] * 20])
    weekly = Budget(100 * GIB, 8, giants=1)
    giants = Counter(
        each.size for _ in range(200) for each in draw(files, {}, weekly).files if each.size > weekly.bytes
    )
    assert giants.keys() == {500 * GIB, 400 * GIB}
    assert giants.total() == 200
    assert all(each.size == GIB for _ in range(50) for each in draw(files, {}, BUDGET).files)
    assert [each.size for each in draw(listing([500 * GIB, 400 * GIB]), {}, BUDGET).files] == [400 * GIB]


class TestWhatIsKnown:
    FILES = listing([10, 20, 30, 40])

    def test_it_is_kept_and_what_is_gone_or_doubted_is_forgotten(self, home: Home) -> None:
        assert proven.known(home) == {}
        proven.note(home, self.FILES, self.FILES[:2], [], 100)
        proven.note(home, self.FILES, self.FILES[1:3], [], 105)
        one, two, three, _ = map(fingerprint, self.FILES)
        assert proven.known(home) == {one: 100, two: 105, three: 105}
        proven.note(home, self.FILES[1:], [], self.FILES[2:3], 106)
        assert proven.known(home) == {two: 105}

    def test_a_file_that_has_changed_was_never_proven(self, home: Home) -> None:
        proven.note(home, self.FILES, self.FILES, [], 100)
        changed = Listed(self.FILES[0].path, self.FILES[0].size, 1, 0)
        assert fingerprint(changed) not in proven.known(home)

    def test_the_share_counts_thirty_days(self) -> None:
        known = {fingerprint(each): day for each, day in zip(self.FILES, (100, 71, 70), strict=False)}
        assert proven.share(self.FILES, known, 100) == proven.Share(2, 30, 4, 100)

    def test_a_clock_that_was_ahead_has_proven_nothing_in_the_future(self, home: Home) -> None:
        proven.note(home, self.FILES, self.FILES, [], 9000)
        proven.note(home, self.FILES, [], [], 100)
        assert set(proven.known(home).values()) == {100}

    def test_days_are_those_of_utc(self) -> None:
        assert proven.today(datetime(1970, 1, 3, 23, 59, tzinfo=UTC)) == 2

    @pytest.mark.parametrize("text", ["{", "[]", '{"x": "AAAAAAAAAAA="}', '{"1": "AAAA"}', '{"1": "?"}', '{"1": null}'])
    def test_a_damaged_file_is_no_reason_to_fail(self, home: Home, text: str) -> None:
        home.write_text("proven.json", text)
        assert proven.known(home) == {}


class TestPartsOfPacks:
    def test_any_part_may_be_next_and_each_gets_its_turn(self, home: Home) -> None:
        by, present, drawn = seeded(1), [0, 2, 3, 6], Counter[int]()
        for day in range(200):
            part = parts.choose(home, present, 7, by)
            parts.note(home, part, 7, day)
            drawn[part] += 1
        assert drawn.keys() == set(present)
        parts.note(home, 3, 7, 1000)
        assert {parts.choose(home, present, 7) for _ in range(300)} == set(present)

    def test_what_was_read_longest_ago_is_likelier(self, home: Home) -> None:
        for part in range(1, 50):
            parts.note(home, part, 50, 10)
        drawn = Counter(parts.choose(home, range(50), 50, seeded(seed)) for seed in range(400))
        assert drawn[0] > 150

    def test_a_damaged_file_is_no_reason_to_fail(self, home: Home) -> None:
        home.write_text("parts-read.json", '{"days": [1, 2]}')
        assert parts.choose(home, [0], 1) == 0
