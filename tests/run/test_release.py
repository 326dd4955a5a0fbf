"""What stands in the way of a release is said before anything is made."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from deploy import release

GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgSign=false"]


class Checkout:
    """A repository of which 2.0.0 can be released."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "changes").mkdir(parents=True)
        for name in release.STAYS:
            (folder / "changes" / name).touch()
        (folder / "CHANGELOG.md").write_text("# Changes\n\n## 2.0.0 (2030-01-02)\n\n## 1.0.0 (2029-01-02)\n")
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> None:
        """Run git in it."""
        subprocess.run([*GIT, *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self) -> None:
        """All that there is."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def test_nothing_stands_in_the_way(checkout: Checkout) -> None:
    assert release.obstacles(checkout.folder, "2.0.0") == []
    checkout.git("tag", "v2.0.0")
    assert release.obstacles(checkout.folder, "2.0.0") == []


def test_what_is_not_committed_is_no_release(checkout: Checkout) -> None:
    (checkout.folder / "new").touch()
    assert release.obstacles(checkout.folder, "2.0.0") == ["There are changes that are not committed."]


def test_a_change_that_the_changelog_lacks_is_named(checkout: Checkout) -> None:
    (checkout.folder / "changes" / "a.pages.md").touch()
    checkout.commit()
    assert release.obstacles(checkout.folder, "2.0.0") == ["changes/ still has a.pages.md: run `make changelog`."]


def test_a_version_that_the_changelog_lacks_is_none(checkout: Checkout) -> None:
    assert release.obstacles(checkout.folder, "2.0.1") == ["CHANGELOG.md says nothing of 2.0.1: run `make changelog`."]


def test_a_tag_of_another_version_is_named(checkout: Checkout) -> None:
    checkout.git("tag", "v2.1.0")
    assert release.obstacles(checkout.folder, "2.0.0") == ["The commit is tagged v2.1.0."]


def test_a_version_that_another_commit_has_is_not_made_again(checkout: Checkout) -> None:
    checkout.git("tag", "v2.0.0")
    (checkout.folder / "new").touch()
    checkout.commit()
    assert release.obstacles(checkout.folder, "2.0.0") == [
        "v2.0.0 is another commit, which may be published: check it out, or set another version."
    ]


def test_the_sums_are_of_all_files_but_themselves(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"2")
    (tmp_path / "a").write_bytes(b"1")
    digests = [hashlib.sha256(content).hexdigest() for content in (b"1", b"2")]
    for _ in range(2):
        assert release.sums(tmp_path) == f"{digests[0]}  a\n{digests[1]}  b\n"
    assert (tmp_path / release.SUMS).read_text() == f"{digests[0]}  a\n{digests[1]}  b\n"
