"""Which package a machine is best set up with by one line, and how that package becomes a program there.

The archive that needs nothing comes first: setup copies all of it to its place, whatever packages the system has.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agents.models import AgentPackage

ARCHITECTURE = "x86_64"
"""What the lines are for: they ask the machine, and say so where it is another one."""


@dataclass(frozen=True)
class Choice:
    """A package, and what makes a program of it. In `prepare`, shell or PowerShell by platform, the downloaded file is
    `$p`; afterwards `program` is what to run. `requires` is a shell test of the machine, and `lacks` what to say."""

    package: AgentPackage
    prepare: str
    program: str
    requires: str = ""
    lacks: str = ""


def best_for(platform: str) -> Choice | None:
    """The best package there is for new machines of the platform; None where none is published."""
    return best_among(AgentPackage.objects.filter(platform=platform, withdrawn_at=None), platform)


def best_among(packages: Iterable[AgentPackage], platform: str) -> Choice | None:
    """The same among packages that can be downloaded and have been read already."""
    fitting = [each for each in packages if (each.platform, each.architecture) == (platform, ARCHITECTURE)]
    for package in sorted(fitting, key=lambda each: (each.kind == "archive", each.published_at), reverse=True):
        if choice := _choice(package):
            return choice
    return None


def _choice(package: AgentPackage) -> Choice | None:
    if package.platform == "linux" and package.kind == "archive":
        return Choice(
            package,
            prepare='mv "$p" "$p.tar.gz"; tar -xzf "$p.tar.gz" -C "$d" --no-same-owner',
            program='"$d/strongroom-agent/strongroom-agent"',
        )
    if package.platform == "linux" and package.kind == "pex":
        return Choice(
            package,
            prepare='chmod +x "$p"',
            program='"$p"',
            requires='python3 -c "import sys; sys.exit(sys.version_info < (3, 11))"',
            lacks="This agent needs Python 3.11 or newer as python3. Install it, then run this again.",
        )
    if package.platform == "windows" and package.kind == "installer":
        # Silently; tried under wine, this line itself is only read by a parser.
        return Choice(
            package,
            prepare=(
                "$i = Start-Process -Wait -PassThru -FilePath $p -ArgumentList '/S'; if ($i.ExitCode -ne 0)"
                " { throw (Get-Content -LiteralPath (Join-Path $env:TEMP 'strongroom-agent-install.log')) }"
            ),
            program="& (Join-Path $env:ProgramFiles 'strongroom-agent\\strongroom-agent.exe')",
        )
    return None
