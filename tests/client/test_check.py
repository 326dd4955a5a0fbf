"""What a check says that it has read, where it does not read everything."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from strongroom_agent.commands import check
from strongroom_agent.proof import restore_check
from strongroom_agent.restic.errors import explain
from strongroom_agent.restic.process import Restic
from strongroom_agent.state.session import Session

from .serving import Storage
from .stored import damage, repository
from .world import World

pytestmark = pytest.mark.system
LIMIT = 6_000_000


@pytest.fixture
def packs(blank: World, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """More than a check reads, in packs of very different sizes; they and their sizes."""
    for number in range(8):
        (blank.source / f"new {number}").write_bytes(os.urandom(10 if number % 2 else 3_000_000))
        assert blank.run("backup").status == 0
    blank.peer.runs.clear()
    blank.peer.requests.clear()
    monkeypatch.setattr(check, "READ_UP_TO", LIMIT)
    folder = repository(storage, blank) / "data"
    return {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


@pytest.mark.long
def test_the_share_that_was_read_is_the_share_that_is_told(blank: World, packs: dict[str, int]) -> None:
    ran = blank.run("check")
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    requests = blank.peer.requests[: blank.peer.requests.index(("POST", "runs"))]  # until the check was reported
    asked = {Path(path).name for verb, path in requests if verb == "GET" and "/data/" in path}
    read, stored = ran.answer["read_bytes"], ran.answer["stored_bytes"]
    assert stored == sum(packs.values())
    parts = -(-stored // LIMIT)
    possible = [{name for name in packs if int(name[:2], 16) % parts == number} for number in range(parts)]
    assert any(names <= asked and read == sum(packs[name] for name in names) for names in possible)
    assert ran.answer["message"].startswith("The backups are sound as far as they were read: ")
    assert f", {100 * read / stored:.1f} %, were read and are whole." in ran.answer["message"]


@pytest.mark.long
def test_a_part_is_no_less_than_what_one_first_byte_of_names_has(
    blank: World, packs: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """restic knows 256 parts at most: of very much, one is larger than what a check would read."""
    monkeypatch.setattr(check, "READ_UP_TO", sum(packs.values()) // 1000)
    ran = blank.run("check")
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    stored = Counter[str]()
    for name, size in packs.items():
        stored[name[:2]] += size
    assert ran.answer["read_bytes"] in stored.values()


def test_known_damage_is_not_forgotten_by_a_check_that_reads_a_part(
    blank: World, packs: dict[str, int], storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest snapshot does not need the pack, and a random part may go without it."""
    largest = max(packs, key=lambda name: packs[name])
    damage(repository(storage, blank) / "data" / largest[:2] / largest, "flipped")
    monkeypatch.setattr(check, "READ_UP_TO", 10**9)
    assert blank.run("check").answer["code"] == "repository_damaged"
    for path in blank.source.iterdir():
        path.unlink()
    (blank.source / "other").write_bytes(b"other")
    monkeypatch.setattr(check, "READ_UP_TO", 1 << 20)
    for _ in range(2):
        ran = blank.run("check")
        assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran


NAME = "9af3c1d2" * 8
FULL = "error: unable to write the cache: no space left on device"
REFUSED = (
    f"Load(<data/{NAME}>, 0, 0) returned error, retrying after 552ms: unexpected HTTP response (403): 403 Forbidden"
)


@pytest.mark.parametrize(
    ("complaints", "code"),
    [
        ([f"pack {NAME} contains 1 errors: [blob does not match]", FULL], "repository_damaged"),
        ([f"pack {NAME} contains 1 errors: [blob does not match]", REFUSED], "repository_damaged"),
        ([FULL], "disk_full"),
        ([REFUSED, f"pack {NAME}: context canceled"], "not_allowed"),
        (["Load(<data/STORED>, 1, 0) returned error, retrying after 1s: dial tcp: connection refused"], "network"),
        ([f"Load(<data/{NAME[:10]}>, 1, 0) failed: unexpected EOF"], "repository_damaged"),  # and it is not stored
    ],
)
def test_damage_that_was_found_before_a_check_was_cut_off_is_remembered(
    blank: World, storage: Storage, monkeypatch: pytest.MonkeyPatch, complaints: list[str], code: str
) -> None:
    class CutOff(Restic):
        """restic that complains, and gives up."""

        def __init__(self) -> None: ...

        def run(self, *arguments: str, on_complaint: Callable[[str], None], **_: object) -> None:  # type: ignore[override]
            said = [line.replace("STORED", stored) for line in complaints]
            for line in said:
                on_complaint(line)
            raise explain(arguments[0], 1, said)

    @contextmanager
    def fresh(_: Session) -> Iterator[Restic]:
        yield CutOff()

    (blank.source / "file").write_bytes(b"content")
    assert blank.run("backup").status == 0
    packs = (repository(storage, blank) / "data").glob("*/*")  # another test has damaged one
    stored = next(path.name for path in packs if sha256(path.read_bytes()).hexdigest() == path.name)[:10]
    monkeypatch.setattr(restore_check, "fresh", fresh)
    known = blank.home / "damage.json"
    known.unlink(missing_ok=True)
    ran = blank.run("check")
    assert (ran.status, ran.answer["code"]) == (4 if code == "network" else 1, code), ran
    assert known.exists() is (code == "repository_damaged")
    assert (NAME[:8] in ran.answer["message"]) is (code == "repository_damaged")
    assert [run["code"] for run in blank.peer.runs.values() if run["kind"] == "check"] == [code]
    known.unlink(missing_ok=True)
