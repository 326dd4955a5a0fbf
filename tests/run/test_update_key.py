"""The tool that makes update keys and signs releases, as somebody runs it on a computer of their own."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from strongroom_agent.update import keys as of_agents
from strongroom_agent.update import manifest

from deploy.update_key.__main__ import main


@pytest.fixture
def key(tmp_path: Path) -> Path:
    assert main(["new", str(tmp_path / "first.key")]) == 0
    return tmp_path / "first.key"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip()


def test_a_key_is_for_its_owner_alone_and_never_replaced(
    key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    assert main(["new", str(key)]) == 1
    assert "never replaced" in said(capsys)
    assert key.read_bytes() == before
    key.chmod(0o640)
    assert main(["public", str(key)]) == 1
    assert f"chmod 600 {key}" in said(capsys)
    assert main(["public", str(tmp_path / "none.key")]) == 1
    assert "cannot be read" in said(capsys)


def test_a_sealed_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "secret").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery\n")
    (tmp_path / "empty").write_text("\n")
    sealed = str(tmp_path / "sealed.key")
    assert main(["new", sealed, "--passphrase-file", str(tmp_path / "secret")]) == 0
    assert "ENCRYPTED" in Path(sealed).read_text()
    assert main(["public", sealed, "--passphrase-file", str(tmp_path / "secret")]) == 0
    capsys.readouterr()
    for given in ([], ["--passphrase-file", str(tmp_path / "wrong")]):
        assert main(["public", sealed, *given]) == 1
        assert "passphrase" in said(capsys)
    assert main(["public", sealed, "--passphrase-file", str(tmp_path / "empty")]) == 1
    assert "is empty" in said(capsys)
    assert main(["public", sealed, "--passphrase-file", str(tmp_path / "none")]) == 1


def test_what_it_signs_is_what_agents_believe(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", str(tmp_path / "second.key")])
    capsys.readouterr()
    assert main(["public", str(key), str(tmp_path / "second.key")]) == 0
    trusted = of_agents.read(capsys.readouterr().out)
    built = tmp_path / "built"
    built.mkdir()
    (built / "a.tar.gz").write_bytes(b"archive")
    (built / "a.deb").write_bytes(b"package")
    facts = {"platform": "linux", "architecture": "x86_64", "version": "1.4.0", "sha256": "", "bill": ""}
    listed = [{**facts, "file": "a.tar.gz", "kind": "archive"}, {**facts, "file": "a.deb", "kind": "deb"}]
    (built / "packages.json").write_text(json.dumps(listed))
    (tmp_path / "single").write_bytes(b"one file")
    out = tmp_path / "release"
    sign = ["sign", str(out), "--built", str(built), "--single-file", str(tmp_path / "single"), "--key", str(key)]
    assert main(sign) == 0
    assert f"manage.py publish_release {out}" in capsys.readouterr().out
    found = manifest.verified(json.loads((out / "release.json").read_text()), trusted)
    assert found.version == "1.4.0"
    assert [(each.kind, (out / each.name).read_bytes()) for each in found.files] == [
        ("archive", b"archive"),
        ("pex", b"one file"),
    ]
    assert timedelta(days=89) < found.expires - datetime.now(UTC) <= timedelta(days=90)
    assert main(sign) == 1
    assert "has a release already" in said(capsys)
    # With the other key, and on a computer that has the manifest alone.
    for file in out.glob("strongroom-agent-update-*"):
        file.unlink()
    renew = ["renew", str(out), "--key", str(tmp_path / "second.key"), "--days", "200"]
    assert main(renew) == 0
    again = manifest.verified(json.loads((out / "release.json").read_text()), trusted)
    assert (again.version, again.files) == (found.version, found.files)
    assert again.serial > found.serial
    assert again.expires > found.expires + timedelta(days=100)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "what the release consists of"),
        (["--single-file", "{tmp}/single"], "Say the version"),
        (["--single-file", "{tmp}/none", "--version", "1.0.0"], "is not there"),
        (["--single-file", "{tmp}/single", "--version", "1.0.0-rc1"], "would not take this"),
        (["--built", "{tmp}"], "Build the packages: make agents"),
    ],
)
def test_what_is_no_release(
    key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    (tmp_path / "single").write_bytes(b"one file")
    given = [each.format(tmp=tmp_path) for each in arguments]
    assert main(["sign", str(tmp_path / "out"), *given, "--key", str(key)]) == 1
    assert says in said(capsys)
    assert not (tmp_path / "out" / "release.json").exists()


def test_a_file_that_was_changed_is_not_signed_again(
    key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "single").write_bytes(b"one file")
    out = tmp_path / "out"
    main(["sign", str(out), "--single-file", str(tmp_path / "single"), "--version", "1.0.0", "--key", str(key)])
    (file,) = out.glob("strongroom-agent-update-*")
    file.write_bytes(b"two file")
    before = (out / "release.json").read_bytes()
    assert main(["renew", str(out), "--key", str(key)]) == 1
    assert "not what the manifest says" in said(capsys)
    assert (out / "release.json").read_bytes() == before
