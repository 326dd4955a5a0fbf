"""Whether the portal's edge can be reached from here, and whether the clocks agree: asked before anything is sent."""

import httpx

from strongroom_agent.core import times
from strongroom_agent.portal import client, clock

_TIMEOUT = httpx.Timeout(10)


def check(edge_url: str, ca_certificates: str, proxy: str | None) -> None:
    """AgentError `network` when nobody answers there with certificates of these roots, `clock_skew` when this machine's
    clock is too far off. `proxy` has its sign-in in it, and is the only one that is used."""
    there = clock.of_portal(edge_url, ca_certificates, proxy)
    if there is not None:
        if skew := clock.skewed(times.now(), there):
            raise skew
        return
    trust = client.trust_only(ca_certificates)
    try:
        with httpx.Client(verify=trust, proxy=proxy, timeout=_TIMEOUT, trust_env=False) as asked:
            status = asked.head(f"{edge_url}/api/v1/agent/heartbeat").status_code
    except httpx.TransportError as error:
        raise client.unreachable(edge_url, client.describe(error), proxy) from error
    raise client.unreachable(edge_url, f"it answered {status} without saying the time", proxy)
