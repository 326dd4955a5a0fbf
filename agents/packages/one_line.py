"""The line that sets up a machine: it fetches the agent, compares it with the digest in the line, and starts setup
with all that the page knows.

It fetches from the machines' port, which a machine has to reach in any case. The certificate there is by a CA of ours,
which the machine does not know yet; so it is not asked for, and what counts is the digest alone.
"""

import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath
from uuid import UUID

from django.conf import settings

from agents.models import AgentPackage
from agents.packages.choice import Choice
from agents.packages.publish import FILES_URL
from agents.packages.shell_commands import INSTALLED, KEPT
from portal.pki import authorities
from portal.pki.crypto import certificates

NAME = "strongroom"
# For sh, between single quotes, so it has none itself, and no exclamation mark, which interactive shells take for
# history. $1 is the address, $2 the SHA-256, $3 the architecture; what follows are arguments of the agent.
_SCRIPT = (
    "set -eu; umask 077; "
    'say() {{ echo "{name}: $1 Nothing was run." >&2; exit 1; }}; '
    'case "$(uname -m)" in "$3") ;; *) say "This line is for $3 machines; this one is $(uname -m)." ;; esac; '
    "{requires}"
    'd=$(mktemp -d); trap "rm -rf \\"$d\\"" EXIT; trap "exit 1" HUP INT TERM; p="$d/strongroom-agent"; '
    'if command -v curl >/dev/null 2>&1; then curl -fsSLk --retry 3 -o "$p" "$1" || say "$1 could not be fetched."; '
    'elif command -v wget >/dev/null 2>&1; then wget -q --no-check-certificate -O "$p" "$1" ||'
    ' say "$1 could not be fetched."; '
    'else say "Neither curl nor wget is here; install one of them."; fi; '
    's=$(sha256sum "$p"); case "$s" in "$2 "*) ;; *) say "What came from $1 is not the agent that the page shows:'
    " its SHA-256 is ${{s%% *}}, not $2. Reload the page and copy the line again; if this stays so, tell an"
    ' administrator of the portal." ;; esac; '
    "{prepare}; shift 3; "
    'if [ "$(id -u)" -eq 0 ]; then {program} "$@"; else sudo {program} "$@"; fi'
)


@dataclass(frozen=True)
class Line:
    """A line to paste, and the package that it fetches."""

    text: str
    package: AgentPackage


def with_code(vault_id: UUID, choice: Choice | None) -> Line | None:
    """The line that asks for a one-time code; None where there is no package for the platform."""
    root = certificates.fingerprint(authorities.edge_root())
    who = ["--code", "-", "--edge", settings.EDGE_URL, "--ca-sha256", root, "--vault", str(vault_id)]
    return _line(choice, who)


def with_file(credentials: str, choice: Choice | None) -> Line | None:
    """The same with a credential file, which many machines may have; it asks nothing."""
    return _line(choice, ["--credentials", credentials])


def _line(choice: Choice | None, who: list[str]) -> Line | None:
    if choice is None:
        return None
    made = _powershell(choice, who) if choice.package.platform == "windows" else _shell(choice, who)
    return Line(made, choice.package)


def address_of(package: AgentPackage) -> str:
    """Where anybody may fetch it, without a session."""
    return f"{settings.EDGE_URL}{FILES_URL}{package.file_name}"


def _shell(choice: Choice, who: list[str]) -> str:
    requires = f'{choice.requires} 2>/dev/null || say "{choice.lacks}"; ' if choice.requires else ""
    script = _SCRIPT.format(name=NAME, requires=requires, prepare=choice.prepare, program=choice.program)
    package = choice.package
    answers = ["--install-dir", str(PurePosixPath(INSTALLED).parent), "--cache-dir", "/var/cache/strongroom-agent"]
    answers += ["--generate-passphrase", "--save-passphrase-to", KEPT, "--protect", "/home"]
    rest = [NAME, address_of(package), package.sha256, package.architecture, *_setup(who), *answers]
    return f"sh -c '{script}' {shlex.join(rest)}"


def _powershell(choice: Choice, who: list[str]) -> str:
    """For Windows PowerShell 5.1 and newer; curl.exe is part of Windows Server 2019 and Windows 10."""
    package = choice.package
    # Not in a profile: those are what is protected. Only administrators and the system read it there.
    kept = "(Join-Path $env:ProgramData 'strongroom-passphrase.txt')"
    words = " ".join(_quoted(word) for word in _setup(who))
    return (
        "$ErrorActionPreference = 'Stop'; "
        "if (-not ([Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent())"
        ".IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator))"
        " { throw 'Open PowerShell with Run as administrator, and paste the line there. Nothing was run.' }; "
        "$d = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid()); [void](New-Item -ItemType Directory -Path $d); "
        f"$p = Join-Path $d {_quoted(package.file_name)}; "
        f"curl.exe -fsSLk -o $p {_quoted(address_of(package))}; "
        "if ($LASTEXITCODE -ne 0) { throw 'The agent could not be fetched. Nothing was run.' }; "
        f"if ((Get-FileHash -Algorithm SHA256 -LiteralPath $p).Hash -ne {_quoted(package.sha256)})"
        " { throw 'What was fetched is not the agent that the page shows: its SHA-256 differs. Nothing was run.' }; "
        f"{choice.prepare}; {choice.program} {words} --install-dir (Join-Path $env:ProgramFiles 'strongroom-agent')"
        " --cache-dir (Join-Path $env:ProgramData 'strongroom-cache') --generate-passphrase"
        f' --save-passphrase-to {kept} --protect "$env:SystemDrive\\Users"; Remove-Item -Recurse -LiteralPath $d'
    )


def _setup(who: list[str]) -> list[str]:
    return ["setup", "--unattended", "--once", *who]


def _quoted(text: str) -> str:
    """A literal text of PowerShell."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
