"""What docs/setup-wizard.md shows and lists is what the wizard says and takes."""

import pytest
from strongroom_agent.cli import arguments

from docs.pictures import wizard


@pytest.mark.system
def test_the_screens_are_what_the_program_shows() -> None:
    """Word by word: lines are broken where paths differ in length."""
    made = {name: text.split() for name, text in wizard.captures().items()}
    assert made == {name: text.split() for name, text in wizard.on_page().items()}
    assert set(made) == {"steps", "resumed", "code"}


def test_each_flag_has_a_row() -> None:
    rows = [line.split("|") for line in wizard.PAGE.read_text().splitlines() if line.startswith("| `--")]
    listed = [(row[1].split("`")[1].split()[0], row[3].split("`")[1]) for row in rows]
    assert sorted(listed) == sorted((f"--{flag.name}", flag.variable) for flag in arguments.setup_flags())
