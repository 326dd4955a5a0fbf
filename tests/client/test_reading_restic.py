"""Reading what restic says: strictly, and without being fooled by the names of files."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from strongroom_agent.core import times
from strongroom_agent.restic import cache
from strongroom_agent.restic.errors import explain, is_final, objects_in
from strongroom_agent.restic.item_complaints import Complaints
from strongroom_agent.restic.process import Restic
from strongroom_agent.restic.retries import Retries
from strongroom_agent.restic.snapshots import all_of

KNOWN = {"/", "/a", "/a: lchown b", "/d", "/d/x"}


def heard(*lines: str) -> Complaints:
    """The complaints of a restore to /out."""
    made = Complaints(KNOWN, "/out")
    for line in lines:
        made.take(line)
    return made


def error(item: str, message: str) -> str:
    """As newer versions say it."""
    return json.dumps({"message_type": "error", "error": {"message": message}, "during": "restore", "item": item})


COUNTED = json.dumps({"message_type": "exit_error", "code": 1, "message": "Fatal: There were 1 errors\n"})


@pytest.mark.parametrize(
    "said",
    [
        "lchown /out/a: operation not permitted",
        "Lchown: lchown /out/a: operation not permitted",
        "chmod /out/a: operation not permitted",
        "UtimesNano: operation not permitted",
        "xattr.LSet /out/a user.x: operation not supported",
    ],
)
def test_trouble_with_attributes_is_a_remark(said: str) -> None:
    made = heard(error("/a", said), COUNTED)
    assert (made.failed, made.attributes, made.certain(1)) == ({}, {"/a": said}, True)


@pytest.mark.parametrize(
    "said",
    [
        "ciphertext verification failed",
        "open /out/lchown x: permission denied",
        "lchown /out/a: no such file or directory",
        "something that nobody has seen yet",
    ],
)
def test_everything_else_means_that_nothing_is_proven_of_it(said: str) -> None:
    made = heard(error("/a", said), COUNTED)
    assert (made.failed, made.attributes, made.certain(1)) == ({"/a": said}, {}, True)


def test_when_verifying_the_item_is_named_by_where_it_is() -> None:
    assert heard(error("/out/d/x", "hash mismatch"), COUNTED).failed == {"/d/x": "hash mismatch"}


def test_the_name_of_a_file_cannot_make_damage_look_like_a_remark() -> None:
    made = heard("ignoring error for /a: lchown b: ciphertext verification failed", "Fatal: There were 1 errors")
    assert set(made.failed) == {"/a", "/a: lchown b"}
    assert made.attributes == {}


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Fatal: There were 2 errors", "ignoring error for /a: x"], 1),
        (["ignoring error for /unheard of: x", "Fatal: There were 1 errors"], 1),
        ([error("/unheard of", "x"), COUNTED], 1),
        ([], 1),
        ([], -9),
        ([], 130),
        ([error("/a", "x")], 0),
        (['{"message_type": "error"}'], 0),
        (['{"half'], 0),
    ],
)
def test_what_is_not_understood_proves_nothing(lines: list[str], status: int) -> None:
    assert heard(*lines).certain(status) is False


def test_a_clean_end_is_certain() -> None:
    assert heard("Load(<data/1>, 0, 0) returned error, retrying after 1s: connection reset").certain(0)


def test_a_line_of_a_stack_is_never_quoted() -> None:
    stack = [
        "panic: runtime error: index out of range",
        "goroutine 1 [running]:",
        "main.main()",
        "\t/build/main.go:123 +0x1d",
        "runtime/asm_amd64.s:1594",
    ]
    assert "runtime error: index out of range" in explain("backup", 2, stack).problem
    assert "it said nothing" in explain("backup", 1, stack[1:]).problem


def test_a_blob_is_not_taken_for_an_object() -> None:
    said = error("/a", "decrypting blob <data/23aaaa22> from def02e1c failed: ciphertext verification failed")
    assert objects_in([said, "LoadRaw(<index/f9670bf6f3>): invalid data returned"]) == [
        ("index", "f9670bf6f3"),
        ("data", "def02e1c"),
    ]


def test_what_could_not_be_stored_is_not_lost() -> None:
    said = 'Save(<data/71aa5f07da>) returned error, retrying after 1s: Post "https://x/data/71aa": connection refused'
    fatal = json.dumps({"message_type": "exit_error", "message": "Fatal: unable to save: Save(<data/c28767ead8>): EOF"})
    assert objects_in([said, fatal, "Load(<data/def02e1c>, 1, 0) failed: EOF"]) == [("data", "def02e1c")]


def test_a_person_is_told_that_restic_waits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, then every minute, with the time since when; after an hour without trouble it is another one."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("strongroom_agent.restic.retries.time", SimpleNamespace(monotonic=lambda: clock.now))
    said = 'Save(<data/71aa>) returned error, retrying after 815.3ms: Post "https://:***@x/y": dial tcp: refused'
    retries, told = Retries(), []
    for moment in (1000, 1001, 1059, 1062, 1100, 4700):
        clock.now = float(moment)
        retries.observe(said)
        retries.observe("Fatal: something else")
        if text := capsys.readouterr().err:
            told.append((moment, text))
    assert [moment for moment, _ in told] == [1000, 1062, 4700]
    assert told[0][1].startswith("note: the storage has failed since ")
    assert told[0][1].endswith(" UTC; still trying, for up to 15 minutes: dial tcp: refused\n")


def test_since_when_is_told_on_a_machine_that_has_just_started(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock for pauses counts from the start of the machine there."""
    clock = SimpleNamespace(now=5.0)
    monkeypatch.setattr("strongroom_agent.restic.retries.time", SimpleNamespace(monotonic=lambda: clock.now))
    retries = Retries()
    for moment in (5.0, 6.0):
        clock.now = moment
        retries.observe("Load(<data/def0>, 1, 0) returned error, retrying after 552ms: connection refused")
    found = re.fullmatch(r"note: the storage has failed since (.*); still trying, .*\n", capsys.readouterr().err)
    assert found is not None
    assert re.fullmatch(r"\d{1,2} \w{3} \d{4}, \d\d:\d\d UTC", found[1])


def test_asking_for_a_lost_object_is_ended() -> None:
    assert is_final("Load(<data/def0>, 1, 0) returned error, retrying after 552ms: <data/def0> does not exist")
    assert not is_final("Load(<data/def0>, 1, 0) returned error, retrying after 552ms: connection reset by peer")


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("0000-12-31T00:00:00Z", -62135683200 * 10**9),
        ("0001-01-01T00:00:00Z", -62135596800 * 10**9),
        ("9999-12-31T23:59:59Z", 253402300799 * 10**9),
        ("10000-01-01T00:00:00Z", 253402300800 * 10**9),
        ("-0001-03-01T00:00:00Z", -62193657600 * 10**9),
        ("2026-11-26T01:43:13.5+09:00", 1795624993500000000),
        ("2026-11-25T08:43:13.5-08:00", 1795624993500000000),
    ],
)
def test_no_time_is_a_reason_not_to_restore(text: str, nanoseconds: int) -> None:
    assert times.parse_nanoseconds(text) == nanoseconds


def test_times_for_people_are_in_utc() -> None:
    assert times.people("2026-11-26T01:43:13.123456789+09:00") == "25 Nov 2026, 16:43:13 UTC"
    assert times.people("10000-01-01T00:00:00Z") == "10000-01-01T00:00:00Z"


def test_copies_that_are_not_what_they_are_called_leave_the_cache(tmp_path: Path) -> None:
    sound = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of "hello"
    folder = tmp_path / "repository" / "data" / "2c"
    folder.mkdir(parents=True)
    (folder / sound).write_bytes(b"hello")
    (folder / sound.replace("2c", "2d")).write_bytes(b"hello")
    (tmp_path / "repository" / "version").write_text("1")
    (tmp_path / "repository" / "index").write_text("a file where a folder belongs")
    cache.make_sound(tmp_path)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == [f"repository/data/2c/{sound}", "repository/version"]


@pytest.mark.parametrize(
    ("summary", "files", "size"),
    [
        ({"total_files_processed": 12, "total_bytes_processed": 33066}, 12, 33066),
        ({"total_files_processed": 0}, 0, None),
        ({"total_files_processed": "12", "total_bytes_processed": True}, None, None),
        (None, None, None),  # restic before 0.17
        ([], None, None),
    ],
)
def test_how_much_is_in_a_snapshot_is_known_where_it_was_noted(
    summary: object, files: int | None, size: int | None
) -> None:
    head = {"id": "0" * 64, "time": "2026-11-26T00:00:00Z", "paths": ["/s"], "hostname": "h", "summary": summary}

    def run(*_: str, on_line: Callable[[str], None], accept: tuple[int, ...]) -> SimpleNamespace:
        on_line(json.dumps([head]))
        return SimpleNamespace(status=0, complaints=[])

    (found,) = all_of(cast(Restic, SimpleNamespace(run=run)))
    assert (found.files, found.bytes) == (files, size)
