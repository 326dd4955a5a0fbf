"""What the installers are made from is looked at only after its digest: each way in which it can be something else."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from deploy.agents.pins import NoInput
from deploy.agents.windows import __main__ as windows
from deploy.agents.windows import inputs

VERSION = "\0".join(["ProductVersion", "", "3.13.12", ""]).encode("utf-16-le")


def archive(path: Path, **members: bytes) -> tuple[str, str]:
    """A zip file with these members, `__` for a dot; its path and its SHA-256."""
    with zipfile.ZipFile(path, "w") as whole:
        for name, content in members.items():
            whole.writestr(name.replace("__", "."), content)
    return str(path), digest(path)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refusal(tmp_path: Path, *words: str) -> str:
    with pytest.raises(NoInput) as refused:
        inputs.interpreter(tmp_path / "kept", *words)
    return str(refused.value)


def test_an_interpreter_says_its_version_itself(tmp_path: Path) -> None:
    given = archive(tmp_path / "python.zip", python3__dll=b"", python313__dll=b"MZ" + VERSION, LICENSE__txt=b"")
    found = inputs.interpreter(tmp_path / "kept", *given)
    assert (found.library, found.pin.version, found.for_tests) == ("python313.dll", "3.13.12", False)


def test_another_file_than_the_pinned_one_needs_its_digest(tmp_path: Path) -> None:
    given, found = archive(tmp_path / "python.zip", python313__dll=VERSION)
    told = refusal(tmp_path, given)
    assert found in told
    assert "76f238f606250c87c6beac75dccd35ee99070a13490555936abb6cb64ecce3d0" in told
    assert not any((tmp_path / "kept").iterdir())


def test_what_is_none_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    other.write_bytes(b"not a zip file")
    assert refusal(tmp_path, str(other), digest(other)).endswith("is no zip archive.")
    assert "there is no python3XX.dll in it" in refusal(tmp_path, *archive(tmp_path / "a.zip", python__exe=b""))
    two = archive(tmp_path / "b.zip", python312__dll=b"", python313__dll=b"")
    assert "there is no python3XX.dll in it" in refusal(tmp_path, *two)
    assert "No such file" in refusal(tmp_path, str(tmp_path / "none.zip"), "0" * 64)


def test_words_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "", "0" * 64) == "--interpreter-sha256 goes with --interpreter PATH-OR-ADDRESS."
    assert refusal(tmp_path, "x.zip", "0" * 63) == "--interpreter-sha256 is no SHA-256: 64 hexadecimal digits."


def test_one_for_tests_is_known_as_such_and_built_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(windows, "STORE", tmp_path)
    monkeypatch.setattr(windows, "PROGRAMS", {})
    given = archive(tmp_path / "python.zip", python311__dll=VERSION, **{inputs.FOR_TESTS: b""})
    assert windows.main(["--interpreter", given[0], "--interpreter-sha256", given[1]]) == 1
    assert "this interpreter is one for tests" in capsys.readouterr().err


def test_restic_says_its_version_by_its_name(tmp_path: Path) -> None:
    given = archive(tmp_path / "restic.zip", restic_0__19__1_windows_amd64__exe=b"MZ restic")
    found = inputs.restic(tmp_path / "kept", tmp_path, *given)
    assert found.pin.version == "0.19.1"
    assert found.program.read_bytes() == b"MZ restic"
    alone = tmp_path / "restic_0.20.0_windows_amd64.exe"
    alone.write_bytes(b"MZ another")
    again = inputs.restic(tmp_path / "kept", tmp_path, str(alone), digest(alone))
    assert (again.pin.version, again.program.read_bytes()) == ("0.20.0", b"MZ another")


def test_what_is_not_as_restic_is_released_is_refused(tmp_path: Path) -> None:
    other = archive(tmp_path / "restic.zip", restic__exe=b"MZ")
    alone = tmp_path / "restic.exe"
    alone.write_bytes(b"MZ")
    for given, sha256 in (other, (str(alone), digest(alone))):
        with pytest.raises(NoInput, match="restic_VERSION_windows_amd64"):
            inputs.restic(tmp_path / "kept", tmp_path, given, sha256)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--certificate-password-file", "x"], "there is nothing to sign with"),
        (["--certificate", "none.p12"], "have to name files that are there"),
        (["--certificate", "none.p12", "--twice"], "--twice does not go with --certificate"),
    ],
)
def test_signing_needs_all_that_it_takes(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert windows.main(words) == 1
    assert told in capsys.readouterr().err


def test_missing_programs_are_named_with_what_installs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert windows.main([]) == 1
    assert "apt-get install -y nsis wixl msitools gcc-mingw-w64-x86-64-win32" in capsys.readouterr().err
