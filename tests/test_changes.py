"""What lies in changes/ comes into CHANGELOG.md, each under the heading that its name asks for."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHANGES = ROOT / "changes"
TOWNCRIER = Path(sys.executable).parent / "towncrier"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
SECTIONS = {each["directory"]: each["name"] for each in SETTINGS["type"]}
WAITING = sorted(path for path in CHANGES.iterdir() if path.name not in {"README.md", "template.md"})

BUILT = """# Changes

What a user would notice.

<!-- towncrier release notes start -->

## 2.0.0 (2030-01-02)

### Restores, backups and repair

- A backup is made.
- A restore is proven, in `two`
  lines.

### Pages

- A page is shown.

## 1.0.0 (2029-01-02)

### Pages

- The first one.
"""


def test_the_sections_are_those_of_the_changelog_and_of_the_readme() -> None:
    headings = re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert set(SECTIONS.values()) == set(headings) - {"Before that"}
    assert dict(re.findall(r"^\| `(.+)` \| (.+) \|$", (CHANGES / "README.md").read_text(), re.MULTILINE)) == SECTIONS


def test_each_file_has_a_name_that_is_taken_in() -> None:
    """The tool passes over others in silence when it builds."""
    name = re.compile(rf"{SETTINGS['issue_pattern']}\.({'|'.join(SECTIONS)})\.md")
    assert [path.name for path in WAITING if not name.fullmatch(path.name)] == []


def test_each_file_holds_sentences() -> None:
    texts = {path.name: path.read_text().strip() for path in WAITING}
    assert [name for name, text in texts.items() if not re.fullmatch(r"[^-*#\s].*[.)]", text, re.DOTALL)] == []


def test_a_release_moves_them_into_the_changelog(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "changes/README.md", "changes/template.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    head, start, new = BUILT.partition("<!-- towncrier release notes start -->\n")
    (tmp_path / "CHANGELOG.md").write_text(head + start + "\n" + new[new.index("## 1.0.0") :])
    for name, text in {
        "shown.pages": "A page is shown.\n",
        "restore-is-proven.restore": "A restore is proven, in `two`\nlines.\n",
        "backup.restore": "A backup is made.",
    }.items():
        (tmp_path / "changes" / f"{name}.md").write_text(text)
    build = [str(TOWNCRIER), "build", "--yes", "--version", "2.0.0", "--date", "2030-01-02"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "CHANGELOG.md").read_text() == BUILT
    assert {path.name for path in (tmp_path / "changes").iterdir()} == {"README.md", "template.md"}
