"""What the Agents page offers: a row for each platform, whether or not there is a package for it."""

from dataclasses import dataclass

from agents.models import AgentPackage
from agents.packages import PLATFORMS


@dataclass(frozen=True)
class Offer:
    """A platform with one of its packages; None where none is published. `yours`: the visitor seems to be on it."""

    platform: str
    name: str
    package: AgentPackage | None
    yours: bool


def offers(user_agent: str) -> list[Offer]:
    """The platforms, the visitor's first; one with packages for several architectures has a row for each."""
    here = platform_of(user_agent)
    listed: dict[str, list[AgentPackage | None]] = {platform: [] for platform in PLATFORMS}
    for package in published():
        listed[package.platform].append(package)
    order = sorted(PLATFORMS, key=lambda platform: platform != here)
    return [
        Offer(platform, PLATFORMS[platform], package, platform == here)
        for platform in order
        for package in listed[platform] or [None]
    ]


def published() -> list[AgentPackage]:
    """The packages that can be downloaded now."""
    listed = AgentPackage.objects.filter(withdrawn_at=None, platform__in=PLATFORMS)
    return list(listed.order_by("platform", "architecture"))


def platform_of(user_agent: str) -> str:
    """The platform that a browser says it runs on; empty when it says none of ours. Phones say Linux or Mac as well."""
    if any(word in user_agent for word in ("Android", "iPhone", "iPad")):
        return ""
    for word, platform in (("Windows", "windows"), ("Macintosh", "macos"), ("Linux", "linux")):
        if word in user_agent:
            return platform
    return ""
