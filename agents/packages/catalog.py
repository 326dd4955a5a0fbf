"""What the Agents page offers: a row for each platform, whether or not there is a package for it."""

from dataclasses import dataclass

from django.db.models import Q

from agents.models import AgentPackage
from agents.packages.publish import PLATFORMS


@dataclass(frozen=True)
class PlatformRow:
    """A platform with one of its packages; None where none is published. `withdrawn`: one that somebody took back, and
    no other is published. `yours`: the visitor seems to be on it."""

    platform: str
    name: str
    package: AgentPackage | None
    yours: bool
    withdrawn: AgentPackage | None = None


def platform_rows(user_agent: str) -> list[PlatformRow]:
    """The platforms, the visitor's first; one with packages for several architectures has a row for each."""
    here = platform_of(user_agent)
    listed: dict[str, list[AgentPackage]] = {platform: [] for platform in PLATFORMS}
    withdrawn: dict[str, AgentPackage] = {}
    for package in _known():
        if package.withdrawn_at is None:
            listed[package.platform].append(package)
        else:
            withdrawn[package.platform] = package
    order = sorted(PLATFORMS, key=lambda platform: platform != here)
    return [
        PlatformRow(
            platform, PLATFORMS[platform], package, platform == here, None if package else withdrawn.get(platform)
        )
        for platform in order
        for package in (listed[platform] or (None,))
    ]


def _known() -> list[AgentPackage]:
    """The packages that can be downloaded now, and those that somebody has withdrawn, the latest last."""
    known = AgentPackage.objects.filter(Q(withdrawn_at=None) | Q(kept_back=True), platform__in=PLATFORMS)
    return list(known.order_by("platform", "architecture", "withdrawn_at"))


def platform_of(user_agent: str) -> str:
    """The platform that a browser says it runs on; empty when it says none of ours. Phones say Linux or Mac as well."""
    if any(word in user_agent for word in ("Android", "iPhone", "iPad")):
        return ""
    for word, platform in (("Windows", "windows"), ("Macintosh", "macos"), ("Linux", "linux")):
        if word in user_agent:
            return platform
    return ""
