"""When the runner has the edge read its files again."""

from pathlib import Path

import pytest

from deploy.runner.reloading import Reloading


class Edge:
    """Counts its reloads; refuses while `away`."""

    def __init__(self) -> None:
        self.reloads = 0
        self.away = False

    def reload(self) -> None:
        """As `signal_edge()`."""
        if self.away:
            raise ConnectionRefusedError
        self.reloads += 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the edge has loaded."""
    for name in ("client-ca.pem", "edge.key", "edge.pem", "root.pem"):
        (tmp_path / name).write_text("one")
    return tmp_path


def change(path: Path, text: str) -> None:
    """As they are replaced."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)


def looks(reloading: Reloading, edge: Edge) -> list[int]:
    """The number of reloads after each of four looks."""
    counts = []
    for _ in range(4):
        reloading.look()
        counts.append(edge.reloads)
    return counts


def test_nothing_changed_nothing_done(folder: Path) -> None:
    edge = Edge()
    reloading = Reloading(folder, edge.reload)
    change(folder / "root.pem", "two")  # which the edge does not read
    assert looks(reloading, edge) == [0, 0, 0, 0]


@pytest.mark.parametrize("name", ["client-ca.pem", "edge.key", "edge.pem"])
def test_a_change_reloads_once_it_has_settled(folder: Path, name: str) -> None:
    edge = Edge()
    reloading = Reloading(folder, edge.reload)
    change(folder / name, "two")
    assert looks(reloading, edge) == [0, 1, 1, 1]


def test_a_pair_that_is_half_written_is_waited_for(folder: Path) -> None:
    edge = Edge()
    reloading = Reloading(folder, edge.reload)
    change(folder / "edge.key", "two")
    reloading.look()
    change(folder / "edge.pem", "two")
    assert looks(reloading, edge) == [0, 1, 1, 1]


def test_an_edge_that_is_away_is_told_later(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edge = Edge()
    reloading = Reloading(folder, edge.reload)
    edge.away = True
    change(folder / "edge.pem", "two")
    assert looks(reloading, edge) == [0, 0, 0, 0]
    assert "could not be told that its certificates have changed" in capsys.readouterr().out
    edge.away = False
    assert looks(reloading, edge) == [1, 1, 1, 1]


def test_files_that_come_later_are_a_change(tmp_path: Path) -> None:
    edge = Edge()
    reloading = Reloading(tmp_path, edge.reload)
    change(tmp_path / "edge.pem", "one")
    assert looks(reloading, edge) == [0, 1, 1, 1]
