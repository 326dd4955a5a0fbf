"""Taking turns."""

from bench.rounds import medians


def test_what_is_compared_takes_turns_and_every_other_round_runs_backwards() -> None:
    order: list[str] = []
    results = iter([1.0, 10.0, 20.0, 3.0, 2.0, 60.0])

    def turn(name: str) -> float:
        order.append(name)
        return next(results)

    found = medians([lambda: turn("ours"), lambda: turn("theirs")], rounds=3)
    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert found == [2.0, 20.0]
