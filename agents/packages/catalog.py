"""What the Agents page offers: the packages of each platform, the best first, or a row that says there is none."""

from dataclasses import dataclass

from django.db.models import Q

from agents.models import AgentPackage
from agents.packages.kinds import KINDS, OWN, Kind
from agents.packages.publish import PLATFORMS

_ORDER = list(KINDS)
_WITH_DNF = ("Fedora", "Red Hat", "CentOS", "Rocky", "AlmaLinux")


@dataclass(frozen=True)
class PlatformRow:
    """A platform with one of its packages; None where none is published. `withdrawn`: one that somebody took back, and
    no other of its kind is published. `yours`: the visitor seems to be on it."""

    platform: str
    name: str
    package: AgentPackage | None
    yours: bool
    withdrawn: AgentPackage | None = None

    @property
    def kind(self) -> Kind | None:
        """What kind of package it is; None where there is none."""
        package = self.package or self.withdrawn
        return KINDS.get(package.kind) if package else None


def platform_rows(user_agent: str) -> list[PlatformRow]:
    """The platforms, the visitor's first, each with what there is: the best kind first, then what was withdrawn, then
    what administrators have added. A platform without a package of ours has a row that says so."""
    here = platform_of(user_agent)
    known = sorted(_latest(), key=lambda package: _rank(package, user_agent))
    order = sorted(PLATFORMS, key=lambda platform: platform != here)
    return [row for platform in order for row in _rows_of(platform, known, yours=platform == here)]


def best_for_linux(rows: list[PlatformRow]) -> AgentPackage | None:
    """The package of ours that commands on pages are written for; None where there is none."""
    return next(
        (row.package for row in rows if row.package and row.platform == "linux" and row.package.kind != OWN), None
    )


def _rows_of(platform: str, known: list[AgentPackage], *, yours: bool) -> list[PlatformRow]:
    rows = [_row(package, yours=yours) for package in known if package.platform == platform]
    ours = any((row.package or row.withdrawn).kind != OWN for row in rows if row.package or row.withdrawn)  # type: ignore[union-attr]
    return rows if ours else [PlatformRow(platform, PLATFORMS[platform], None, yours), *rows]


def _row(package: AgentPackage, *, yours: bool) -> PlatformRow:
    name = package.title or PLATFORMS[package.platform]
    gone = package.withdrawn_at is not None
    return PlatformRow(package.platform, name, None if gone else package, yours, package if gone else None)


def _rank(package: AgentPackage, user_agent: str) -> tuple[bool, bool, int, str, str]:
    dnf = package.kind == "rpm" and any(word in user_agent for word in _WITH_DNF)
    place = -1 if dnf else _ORDER.index(package.kind)
    return package.kind == OWN, package.withdrawn_at is not None, place, package.architecture, package.title


def _latest() -> list[AgentPackage]:
    """Of each platform, architecture, kind and title the one that is listed, else the latest that somebody withdrew."""
    known = AgentPackage.objects.filter(
        Q(withdrawn_at=None) | Q(kept_back=True), platform__in=PLATFORMS, kind__in=KINDS
    )
    found: dict[tuple[str, ...], AgentPackage] = {}
    for package in sorted(known, key=_age):
        found[package.platform, package.architecture, package.kind, package.title] = package
    return list(found.values())


def _age(package: AgentPackage) -> tuple[bool, float]:
    gone = package.withdrawn_at
    return (gone is None, gone.timestamp() if gone else package.published_at.timestamp())


def platform_of(user_agent: str) -> str:
    """The platform that a browser says it runs on; empty when it says none of ours. Phones say Linux or Mac as well."""
    if any(word in user_agent for word in ("Android", "iPhone", "iPad")):
        return ""
    for word, platform in (("Windows", "windows"), ("Macintosh", "macos"), ("Linux", "linux")):
        if word in user_agent:
            return platform
    return ""
