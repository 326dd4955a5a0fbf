"""What time it is for the portal: a machine's own clock may be off by years, and then looks like an expired file."""

import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import duration
from strongroom_agent.core.times import for_people

# As much as the portal itself tolerates between its clock and a machine's.
TOLERANCE = timedelta(minutes=5)
_TIMEOUT = httpx.Timeout(10)
_NO_CHECK_TIME = (
    0x200000  # X509_V_FLAG_NO_CHECK_TIME: with a wrong clock each certificate has expired, or is not valid yet
)


class _Answer:
    """When the portal answered last, by its own clock and by ours that nobody sets."""

    told: datetime | None = None
    at: float = 0.0


def note(date: str | None) -> None:
    """Keep what an answer of the portal says of its time (the header Date)."""
    try:
        _Answer.told = parsedate_to_datetime(date).astimezone(UTC) if date else _Answer.told
    except ValueError:
        return
    _Answer.at = time.monotonic() if date else _Answer.at


def portal_time() -> datetime | None:
    """What time it is for the portal, by its last answer to this program; None when it has not answered."""
    return _Answer.told + timedelta(seconds=time.monotonic() - _Answer.at) if _Answer.told else None


def of_portal(
    edge_url: str, ca_certificates: str, proxy: str | None, timeout: httpx.Timeout = _TIMEOUT
) -> datetime | None:
    """The portal's time, from any answer of its; None when it does not answer. Only its own certificate is believed,
    whatever the dates in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca_certificates)
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    try:
        with httpx.Client(verify=context, proxy=proxy, timeout=timeout, trust_env=False) as client:
            return parsedate_to_datetime(client.head(f"{edge_url}/api/v1/agent/heartbeat").headers["Date"])
    except (httpx.HTTPError, KeyError, ValueError):
        return None


def skewed(here: datetime, there: datetime) -> AgentError | None:
    """The error for a clock that is too far from the portal's; None when it is near enough."""
    off = here - there
    if abs(off) <= TOLERANCE:
        return None
    return AgentError(
        "clock_skew",
        f"This machine's clock is {duration(abs(off))} {'fast' if off > timedelta(0) else 'slow'}: it says "
        f"{for_people(here)}, the portal's says {for_people(there)}.",
        "Set the clock, then run this again.",
        skew_seconds=int(off.total_seconds()),
    )
