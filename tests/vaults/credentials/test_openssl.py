"""docs/credentials.md keeps its word: its commands, run on a file that the portal has issued, and on edited ones."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings

from portal.accounts.models import User
from tests.factories import as_actor
from vaults.credentials import vault_credentials
from vaults.models import Vault

DOCUMENT = Path(settings.BASE_DIR) / "docs" / "credentials.md"
JQ = """#!/usr/bin/env python3
# As much of jq as the document uses, for machines without it.
import json, sys
*options, program, name = sys.argv[1:]
content = json.load(open(name, encoding="utf-8"))
if program.startswith("del("):
    gone = [field.strip().lstrip(".") for field in program[4:-1].split(",")]
    kept = {field: value for field, value in content.items() if field not in gone}
    sys.stdout.write(json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
else:
    print(content[program.lstrip(".")])
"""

Check = Callable[[dict[str, object]], subprocess.CompletedProcess[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Runs the document's commands on a file; they end at the first that fails."""
    if shutil.which("jq") is None:
        (tmp_path / "jq").write_text(JQ)
        (tmp_path / "jq").chmod(0o755)

    def run(document: dict[str, object]) -> subprocess.CompletedProcess[str]:
        blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
        assert len(blocks) == 5
        (tmp_path / "Payroll_Sun Nov 22 2026.VaultCredentials").write_text(json.dumps(document), encoding="utf-8")
        # A command after "!" does not end a script by itself, so what must fail is asked for in so many words.
        script = re.sub(r"^! (.*)$", r"if \1; then exit 1; fi", "\n".join(blocks), flags=re.MULTILINE)
        path = f"{tmp_path}:/usr/local/bin:/usr/bin:/bin"
        return subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def document(vault: Vault, staff: User) -> dict[str, object]:
    return vault_credentials.issue(vault.pk, actor=as_actor(staff)).document


def test_issued_file_passes(check: Check, document: dict[str, object]) -> None:
    done = check(document)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "chain.pem: OK" in lines
    assert "Verified OK" in lines
    (name,) = re.findall(r"URI:(\S+)", done.stdout)
    assert name.startswith("urn:strongroom:credential:")
    assert lines[-1] == lines[-2]  # the key fits
    (end,) = re.findall(r"notAfter=(.*) GMT", done.stdout)
    expires = datetime.fromisoformat(str(document["expires_at"])).replace(microsecond=0, tzinfo=None)
    assert datetime.strptime(end, "%b %d %H:%M:%S %Y") == expires  # noqa: DTZ007 - both are UTC


@pytest.mark.parametrize("field", ["edge_url", "vault", "purpose", "expires_at"])
def test_edited_file_does_not(check: Check, document: dict[str, object], field: str) -> None:
    edited = {**document, field: "https://attacker.example"}
    done = check(edited)
    assert done.returncode != 0
    assert "Verification failure" in done.stdout + done.stderr


def test_file_with_anothers_root_does_not(check: Check, document: dict[str, object]) -> None:
    """Its own issuing CA in the root's place."""
    chain = str(document["certificate"])
    issuer = chain[chain.index("-----BEGIN", 10) :]
    assert check({**document, "ca_certificates": issuer}).returncode != 0
