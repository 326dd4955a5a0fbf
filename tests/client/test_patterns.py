"""What patterns leave out, as we count it, is what restic leaves out."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.patterns import Patterns, Skip

TREE = ("a", "b/a", "b/ab", "b/c/a", "b/c/d.tmp", "c[1]/x", "c/.cache/deep/er", "ba/b", "d-e", "x*y", "é", "a b/c")
NAMES = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "*",
        "?",
        "a*",
        "*b",
        "[ab]",
        "[^a]",
        "[a-c]",
        "**",
        "*.tmp",
        ".cache",
        "c[[]1]",
        r"x\*y",
        "d-e",
        "é",
    ]
)
PATTERNS = st.builds(
    lambda brings_back, parts: brings_back + "/".join(parts),
    st.sampled_from(["", "", "", "!"]),
    st.lists(NAMES, min_size=1, max_size=3),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patterns")
    for name in TREE:
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).write_bytes(b"x")
    (folder / "password").write_text("a password")
    _restic(folder, "init")
    return folder


def _restic(folder: Path, *arguments: str) -> list[dict[str, object]]:
    where = ["--no-cache", "-r", str(folder / "repository"), "--password-file", str(folder / "password")]
    done = subprocess.run(
        ["restic", *where, "--json", *arguments],
        capture_output=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]


def _kept(top: str, skip: Skip) -> set[str]:
    """Walked as a backup is counted: a folder that is left out is not entered."""
    found, todo = set[str](), [top]
    while todo:
        for entry in os.scandir(todo.pop()):
            if entry.path in skip:
                continue
            if entry.is_dir():
                todo.append(entry.path)
            else:
                found.add(entry.path)
    return found


@pytest.mark.system
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PATTERNS, min_size=1, max_size=3), st.booleans())
def test_what_is_left_out_is_what_restic_leaves_out(tree: Path, given: list[str], whole: bool) -> None:
    top = str(tree / "tree")
    if whole:
        given = [f"!{top}/{each[1:]}" if each.startswith("!") else f"{top}/{each}" for each in given]
    skip = Skip((), Patterns(given))
    if top in skip:
        return  # then there is nothing to back up, which is another refusal
    messages = _restic(tree, "backup", "--tag", "now", *(f"--exclude={each}" for each in given), top)
    snapshot = str(messages[-1]["snapshot_id"])
    listed = {str(each["path"]) for each in _restic(tree, "ls", snapshot) if each.get("type") == "file"}
    assert _kept(top, skip) == listed


@pytest.mark.parametrize("given", ["", " ", "/", ".", "!", "a[", "[]", "[a", "[b-a]", "[a-]", "a\nb", "b\\", "a/.."])
def test_what_is_no_pattern_is_refused(given: str) -> None:
    with pytest.raises(AgentError) as caught:
        Patterns([given])
    assert caught.value.code == "usage"
    assert repr(given) in caught.value.problem


def test_without_patterns_only_the_paths_are_left_out() -> None:
    skip = Skip(["/a/b"])
    assert ("/a/b" in skip, "/a" in skip, "/a/b/c" in skip, list(skip)) == (True, False, False, ["/a/b"])
