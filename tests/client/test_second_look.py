"""A restore that has complained is looked at once more, and what that look could not see is not called wrong."""

import json
from collections.abc import Callable, Container

import pytest
from strongroom_agent.proof import restoring
from strongroom_agent.proof.restoring import Attempt
from strongroom_agent.restic.process import Ended, Restic
from strongroom_agent.restic.snapshots import Contents, Listed, Snapshot

FOUND = Contents(
    Snapshot("5" * 64, "2026-11-26T05:00:00Z", ["/d"], "h"), [Listed("/d/a", 1, 0, 0), Listed("/d/b", 2, 0, 0)], []
)
CHOWN = {"message": "lchown /out/d/a: operation not permitted"}
OF_MODE = [
    json.dumps({"message_type": "error", "error": CHOWN, "item": "/d/a"}),
    json.dumps({"message_type": "exit_error", "message": "Fatal: There were 1 errors"}),
]
BROKEN = ["Fatal: unable to open repository: dial tcp 192.0.2.1:443: connect: connection refused"]


class Told(Restic):
    """restic that complains in a restore, and of whose dry run the test says how it goes."""

    def __init__(self, status: int, lines: list[str], complaints: list[str]) -> None:
        self.dry = status, lines, complaints

    def run(
        self,
        *arguments: str,
        on_line: Callable[[str], None] | None = None,
        on_complaint: Callable[[str], None] | None = None,
        accept: Container[int] = (0,),
    ) -> Ended:
        status, lines, complaints = self.dry if "--dry-run" in arguments else (1, [], OF_MODE)
        assert status in accept
        for hear, said in ((on_line, lines), (on_complaint, complaints)):
            for line in said:
                if hear is not None:
                    hear(line)
        return Ended(status, complaints)


def looked(status: int, lines: list[str], complaints: list[str]) -> Attempt:
    """A restore with a dry run like that."""
    return restoring.restore(Told(status, lines, complaints), FOUND, [], "/out", recent=True)


def seen(action: str, item: str) -> str:
    """The line of a dry run about a file."""
    return json.dumps({"message_type": "verbose_status", "action": action, "item": item, "size": 1})


def test_a_second_look_that_is_cut_off_proves_nothing_and_blames_no_file() -> None:
    done = looked(1, [seen("unchanged", "/d/b")], BROKEN)
    assert done.error is not None
    assert (done.error.code, done.doubtful) == ("network", {})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (seen("unchanged", "/d/b"), None),
        (seen("updated", "/d/b"), "its content is not what the snapshot has"),
        ("", "its content was not compared with the snapshot"),
    ],
)
def test_a_second_look_that_goes_to_its_end_tells_files_apart(line: str, said: str | None) -> None:
    done = looked(0, [seen("unchanged", "/d/a"), line], [])
    assert (done.error, done.about("/d/a"), done.about("/d/b")) == (None, None, said)
    assert done.attributes == {"/d/a": "lchown /out/d/a: operation not permitted"}
