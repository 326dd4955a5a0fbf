"""What may be wrong when nothing is heard of a machine: likely reasons, the likeliest first, by what is known."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings

from agents.monitoring.live_setup import QUIET, LiveSetup

AGAIN = "Run the same line again on the machine: it goes on where it ended, and asks for no code."


@dataclass(frozen=True)
class Reason:
    """What may be so, and what to do."""

    what: str
    remedy: str


@dataclass(frozen=True)
class Quiet:
    """What was not heard, since when, and the reasons in order."""

    heading: str
    since: datetime
    reasons: tuple[Reason, ...]


def about_code(last_sign_at: datetime, now: datetime) -> Quiet | None:
    """A code that waits for its machine; None while two minutes are not over."""
    reasons = (
        Reason(
            "The line has not been run yet, or the machine waits for the code.",
            "Paste the line into a terminal of the machine, press Enter, and type the code when it asks.",
        ),
        *_between(),
    )
    return _quiet("No machine has come with your code yet.", last_sign_at, reasons, now)


def about_expired(ended_at: datetime) -> Quiet:
    """A code whose ten minutes are over, and no machine has come."""
    reasons = (
        Reason("The code has ended: it was good for ten minutes.", "Show another one, and run the line again."),
        *_between(),
    )
    return Quiet("No machine has come with your code.", ended_at, reasons)


def about_redeemed(last_sign_at: datetime, now: datetime) -> Quiet | None:
    """A machine has used the code, and has not registered."""
    reasons = (
        Reason(
            "Setup was stopped on the machine, or ended with a message.",
            "Look at its terminal. Run the same line again there and type the same code: it goes on with that.",
        ),
        _no_way(),
        _clock(),
    )
    return _quiet("A machine has used your code and has not registered.", last_sign_at, reasons, now)


def about_file(last_sign_at: datetime, now: datetime) -> Quiet | None:
    """A file was downloaded, and no machine has come with it."""
    reasons = (
        Reason(
            "Setup has not been started with the file yet.",
            "Copy the file to the machine and run the command of the step Register your machine in its folder.",
        ),
        *_between(),
    )
    return _quiet("No machine has come with the file yet.", last_sign_at, reasons, now)


def about_setup(setup: LiveSetup, now: datetime) -> Quiet | None:
    """A machine has registered and is not done; None where it has said itself why it ended."""
    if setup.failed:
        return None
    last = setup.current.name
    reasons = [
        Reason(f"Setup was stopped on the machine; the last step seen is {last}.", f"Look at its terminal. {AGAIN}"),
        Reason(
            f"The machine sleeps, or has lost its way to {_edge()}.",
            "Wake it, and see that it has a network; setup goes on by itself within minutes, or says what is wrong.",
        ),
    ]
    if not setup.tells:
        old = Reason(
            "Its agent tells nothing before the first backup is made.",
            "Wait: a first backup takes its time. Newer agents tell how far they are.",
        )
        reasons.insert(0, old)
    return _quiet(f"Nothing is heard of {setup.machine.name}.", setup.last_sign_at, tuple(reasons), now)


def _quiet(heading: str, since: datetime, reasons: tuple[Reason, ...], now: datetime) -> Quiet | None:
    return Quiet(heading, since, reasons) if now - since >= QUIET else None


def _between() -> tuple[Reason, ...]:
    return (_no_way(), _proxy(), _clock())


def _no_way() -> Reason:
    return Reason(
        f"The machine has no way to {_edge()}.",
        f"Try there: curl -k {settings.EDGE_URL}/agents/root.pem must print a certificate. If it does not, a firewall "
        "or the name's resolution is in the way.",
    )


def _proxy() -> Reason:
    return Reason(
        "The machine reaches other networks through a proxy alone.",
        "Add --proxy http://NAME:PORT at the line's end, and set https_proxy to the same for fetching the agent.",
    )


def _clock() -> Reason:
    return Reason(
        "The machine's clock is more than five minutes off.",
        "Compare date -u there with the time of this page, and set it.",
    )


def _edge() -> str:
    """Name and port that machines connect to."""
    parts = urlsplit(settings.EDGE_URL)
    return f"{parts.hostname}:{parts.port or 443}"
