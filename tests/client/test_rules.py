"""The small rules by themselves: cache, passphrase, paths, choice of files, restic's words."""

import os
import random
import stat
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from strongroom_agent.core import mounts, paths, times
from strongroom_agent.core.errors import AgentError, Exit
from strongroom_agent.core.patterns import Skip
from strongroom_agent.proof import selection
from strongroom_agent.restic.errors import explain, is_final
from strongroom_agent.restic.snapshots import Listed
from strongroom_agent.setup import cache_folder
from strongroom_agent.setup import passphrase as setup_passphrase
from strongroom_agent.state import passphrase, settings
from strongroom_agent.state.home import Home
from strongroom_agent.state.settings import Settings

from tests.long import MANY

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
GIB = 1024**3


@pytest.mark.parametrize(
    ("protected", "free", "fits"), [(0, 0, True), (100, 5, True), (100, 4, False), (101, 5, False)]
)
def test_five_percent_of_the_data_must_be_free(protected: int, free: int, fits: bool) -> None:
    if fits:
        cache_folder.check_room(Path("/c"), protected, free)
        return
    with pytest.raises(AgentError) as caught:
        cache_folder.check_room(Path("/c"), protected, free)
    assert caught.value.code == "cache_too_small"
    assert caught.value.details == {
        "protected_bytes": protected,
        "needed_bytes": -(-protected // 20),
        "free_bytes": free,
    }


def test_the_refusal_of_a_small_cache_gives_all_three_figures() -> None:
    with pytest.raises(AgentError) as caught:
        cache_folder.check_room(Path("/c"), 100 * GIB, 2 * GIB)
    assert caught.value.message.startswith(
        "The cache folder /c has 2.0 GiB free; what is protected has 100.0 GiB, and 5 % of that, 5.0 GiB, must be free."
    )


def test_measuring_counts_regular_files_and_leaves_out_the_cache(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "big").write_bytes(b"x" * 1000)
    extent = cache_folder.measure([str(tmp_path)], Skip({str(tmp_path / "cache")}))
    assert (extent.files, extent.bytes) == (1, 5)
    assert cache_folder.measure([str(tmp_path / "a")], Skip(())).bytes == 5


def test_a_sparse_file_counts_what_it_holds(tmp_path: Path) -> None:
    with (tmp_path / "image").open("wb") as file:
        file.write(b"x" * 100_000)
        file.flush()
        os.fsync(file.fileno())
        file.truncate(20 * GIB)
    assert 100_000 <= cache_folder.measure([str(tmp_path)], Skip(())).bytes < 1_000_000


def test_network_drives_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["1 0 0:1 / / rw - ext4 dev rw", "2 1 0:2 / /mnt/net rw shared:1 - nfs4 srv:/x rw"]
    lines += ["3 1 0:3 / /mnt/a\\040b rw - cifs srv rw", "4 1 0:4 / /mnt/over rw - autofs x rw"]
    lines += ["5 1 0:5 / /mnt/over rw - xfs dev rw"]
    monkeypatch.setattr(Path, "read_bytes", lambda _self: "\n".join(lines).encode())
    found = [cache_folder.is_remote(Path(path)) for path in ("/mnt", "/mnt/net/c", "/mnt/network", "/mnt/a b/c")]
    assert found == [False, True, False, True]
    assert mounts.kind_of("/mnt/over/x") == "xfs"


@hypothesis_settings(max_examples=100 * MANY)
@given(st.text(PRINTABLE, min_size=16).filter(lambda text: text == text.strip(" ")))
def test_sixteen_printable_characters_are_a_passphrase(text: str) -> None:
    assert passphrase.check(text) == passphrase.check(text + "\n") == passphrase.check(text + "\r\n") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 15,
        "x" * 15 + "\n",
        " " * 20,
        "x" * 20 + "\n\n",
        "x" * 20 + "é",
        "tab\t" * 5,
        "x" * 16 + " ",
        "\n" + "x" * 16,
        "x" * 4097,
    ],
)
def test_anything_less_is_none(text: str) -> None:
    with pytest.raises(AgentError) as caught:
        passphrase.check(text)
    assert (caught.value.code, caught.value.exit_status) == ("passphrase_invalid", Exit.FAILED)


def test_a_long_passphrase_counts_to_its_end_or_is_refused(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text("x" * 4096 + "\r\n")
    assert passphrase.read(given) == "x" * 4096
    given.write_text("x" * 4096 + "y\n")
    with pytest.raises(AgentError) as caught:
        passphrase.read(given)
    assert caught.value.message.startswith("The passphrase cannot be used: it has more than 4096 characters.")


def test_generated_passphrases_have_128_bits_and_pass_the_rule() -> None:
    made = {passphrase.generate() for _ in range(100)}
    assert len(made) == 100
    letters = {len(each.replace("-", "")) for each in made}
    assert letters == {30}
    assert set("".join(made)) <= set(string.ascii_lowercase + string.digits + "-")
    assert all(passphrase.check(each) == each for each in made)


def test_a_generated_passphrase_is_saved_once_and_found_again(tmp_path: Path) -> None:
    home, target = Home(tmp_path / "home"), tmp_path / "saved"
    setup_passphrase.settle(home, None, str(target), None)
    first = target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    setup_passphrase.settle(home, None, str(target), None)
    assert target.read_text() == first == f"{passphrase.stored(home)}\n"


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    home, target = Home(tmp_path / "home"), tmp_path / "saved"
    target.write_text("the only copy of something")
    with pytest.raises(AgentError) as caught:
        setup_passphrase.settle(home, None, str(target), None)
    assert caught.value.code == "passphrase_file_exists"
    assert target.read_text() == "the only copy of something"
    assert passphrase.stored(home) is None


def test_a_passphrase_in_use_is_not_exchanged(tmp_path: Path) -> None:
    home, other = Home(tmp_path / "home"), tmp_path / "other"
    other.write_text("y" * 20)
    passphrase.store(home, "x" * 20)
    used = Settings("/i", "/c", ["/p"], opened=True)
    with pytest.raises(AgentError) as caught:
        setup_passphrase.settle(home, other.read_text(), None, used)
    assert caught.value.code == "passphrase_differs"
    setup_passphrase.settle(home, None, str(tmp_path / "copy"), used)
    assert (tmp_path / "copy").read_text() == "x" * 20 + "\n"
    setup_passphrase.settle(home, other.read_text(), None, Settings("/i", "/c", ["/p"]))
    assert passphrase.stored(home) == "y" * 20


def test_a_setup_that_died_half_way_goes_on_with_its_passphrase(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    setup_passphrase.settle(home, None, str(tmp_path / "first"), None)
    setup_passphrase.settle(home, None, str(tmp_path / "second"), Settings("/i", "/c", ["/p"]))
    assert (tmp_path / "first").read_text() == (tmp_path / "second").read_text()
    setup_passphrase.settle(home, None, str(tmp_path / "third"), None)
    assert (tmp_path / "first").read_text() != (tmp_path / "third").read_text()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "/a/b"),
        ("/a [1]/*?", "/a [[]1]/[*][?]"),
        ("/back\\slash", "/back\\\\slash"),
        ("/bad\ufffdname", "/bad?name"),
    ],
)
def test_patterns_mean_one_path(path: str, expected: str) -> None:
    assert paths.pattern(path) == expected


def test_bytes_that_are_no_text_are_named_as_restic_lists_them() -> None:
    assert paths.in_snapshot(os.fsdecode(b"/x\xff\xe2\x82y")) == "/x\ufffd\ufffd\ufffdy"


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a\0b"])
def test_paths_that_mean_nothing_here_are_wrong_usage(path: str) -> None:
    with pytest.raises(AgentError) as caught:
        paths.absolute(path)
    assert caught.value.exit_status == Exit.USAGE


@pytest.mark.parametrize(("path", "inside"), [("/a", True), ("/a/b", True), ("/ab", False), ("/", False)])
def test_being_below_a_folder(path: str, inside: bool) -> None:
    assert paths.is_below(path, "/a") is inside
    assert paths.is_below(path, "/")


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T01:00:00.123456789+01:00", 123_456_789),
        ("1969-12-31T23:59:59.75Z", -250_000_000),
    ],
)
def test_times_keep_their_nanoseconds(text: str, nanoseconds: int) -> None:
    assert times.parse_nanoseconds(text) == nanoseconds


def listing(*sizes: int) -> list[Listed]:
    """Files of these sizes."""
    return [Listed(f"/f{number:04}", size, 0, 0) for number, size in enumerate(sizes)]


@hypothesis_settings(max_examples=100 * MANY)
@given(st.lists(st.integers(0, 50), max_size=60), st.integers(50, 120))
def test_batches_hold_every_file_once_and_fit_the_room(sizes: list[int], room: int) -> None:
    files = listing(*sizes)
    random.shuffle(files)
    made = list(selection.batches(files, files, room))
    assert sorted(each.path for batch in made for each in batch.files) == sorted(each.path for each in files)
    assert all(sum(each.size for each in batch.files) <= room for batch in made)
    assert all(batch.include == [each.path for each in batch.files] or len(made) == 1 for batch in made)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Fatal: wrong password or no key found", "passphrase_wrong"),
        (
            "Fatal: unable to create lock in backend: repository is already locked by PID 7 on h by root",
            "repository_locked",
        ),
        ("Fatal: unable to open config file: unexpected HTTP response (403): 403 Forbidden", "not_allowed"),
        ("Load(<data/1>) returned error: server response unexpected: 507 Insufficient Storage (507)", "quota_full"),
        ("Fatal: unexpected HTTP response (503): 503", "unavailable"),
        ("Fatal: dial tcp 127.0.0.1:1: connect: connection refused", "network"),
        ("Fatal: x509: certificate signed by unknown authority", "network"),
        ('invalid id "ab": no matching ID found for prefix "ab"', "snapshot_unknown"),
        ("write /x: no space left on device", "disk_full"),
        ("write /x: disk quota exceeded", "disk_full"),
        ("Fatal: unable to open cache: mkdir /cache/1e: read-only file system", "file_unusable"),
        ('{"message_type":"exit_error","code":1,"message":"Fatal: something new"}', "engine_failed"),
        ("", "engine_failed"),
    ],
)
def test_what_restic_says_becomes_a_message_with_a_remedy(words: str, code: str) -> None:
    error = explain("backup", 1, words.splitlines())
    assert error.code == code
    assert error.remedy
    assert (error.exit_status == Exit.NETWORK) is (code == "network")


FULL = "Load(<index/d3>, 0, 0) returned error, retrying after 552ms: write /cache/d3: no space left on device"


def test_a_full_cache_folder_ends_restic_at_once_and_is_named() -> None:
    """It would retry for a quarter of an hour; a restore only notes a full target and goes on."""
    assert is_final(FULL) is True
    assert is_final("ignoring error for /a: write /out/a: no space left on device") is False
    error = explain("check", 1, [FULL, "error: error loading index d3: context canceled"])
    assert error.problem == "A disk of this machine is full: write /cache/d3: no space left on device."


@pytest.mark.parametrize(
    ("words", "remedy"),
    [("mkdir /c/1e: read-only file system", "is mounted read-only"), ("write /c/x: disk quota exceeded", "The quota")],
)
def test_a_disk_that_takes_nothing_is_not_told_as_one_without_room_or_permission(words: str, remedy: str) -> None:
    error = explain("backup", 1, [words])
    assert words in error.problem
    assert remedy in error.remedy
    assert "is full" not in error.problem


@pytest.mark.parametrize(("number", "remedy"), [(30, "is mounted read-only"), (122, "The quota"), (13, "as the user")])
def test_a_state_folder_that_cannot_be_used_says_what_to_do_about_its_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def failing(*arguments: object, **more: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", failing)
    with pytest.raises(AgentError) as refused:
        Home(tmp_path / "home").ensure()
    assert refused.value.code == "home_unusable"
    assert remedy in refused.value.remedy


def test_proxies_get_their_sign_in_quoted() -> None:
    url = settings.with_sign_in("http://proxy:3128", "dom\\me", "p@ss:w/rd")
    assert url == "http://dom%5Cme:p%40ss%3Aw%2Frd@proxy:3128"
    assert settings.with_sign_in("http://proxy:3128", "", None) == "http://proxy:3128"


@pytest.mark.parametrize(
    "address",
    [
        "proxy:3128",
        "socks5://proxy",
        "http://",
        "http://me@proxy",
        "http://[x",
        "http://x:y",
        "http://x:99999",
        "http://a b",
    ],
)
def test_only_plain_proxies_are_accepted(address: str) -> None:
    with pytest.raises(AgentError) as caught:
        settings.check_proxy(address)
    assert caught.value.exit_status == Exit.USAGE
