"""Asking the portal which snapshots go by the vault's retention policy, and announcing that they are going to."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.state.session import Session

from .clock import TOLERANCE

_ID = re.compile(r"[0-9a-f]{64}")
_LONGEST = 300  # characters of the policy, which is shown


@dataclass(frozen=True)
class RetainAnswer:
    """What the portal says: the snapshots that go, how many it keeps, and by which policy."""

    forget: tuple[str, ...]
    keep: int
    policy: str
    minimum: timedelta  # nothing younger may go
    until: datetime | None  # deletions are expected up to then; None where the portal was only asked
    at_quota: bool

    @property
    def over(self) -> bool:
        """Whether deletions are not expected any more, or may not be by the portal's clock."""
        return self.until is not None and times.now() > self.until - TOLERANCE


def ask(session: Session, *, dry_run: bool) -> RetainAnswer:
    """The portal's answer; without `dry_run` deletions are announced with it, to be begun at once.

    AgentError `portal_too_old` where it knows nothing of this, `answer_not_understood` where its answer is none.
    """
    fields: dict[str, object] = {"dry_run": dry_run}
    body = session.portal.post("retain", session.identity.signer, fields, unknown=_too_old()).body
    try:
        answer = parsed(body)
    except (KeyError, TypeError, ValueError) as error:
        raise _not_understood(f"its {error} is missing" if isinstance(error, KeyError) else str(error)) from error
    if answer.until is None and not dry_run:
        raise _not_understood("it says no time until which the deletions are expected")
    return answer


def parsed(body: dict[str, object]) -> RetainAnswer:
    """The answer, read strictly. KeyError, TypeError or ValueError for anything else."""
    until = body["until"]
    return RetainAnswer(
        forget=_ids(body["forget"]),
        keep=_number(body, "keep", least=0),
        policy=_text(body["policy"]),
        minimum=timedelta(days=_number(body, "minimum_retention_days", least=1)),
        until=None if until is None else times.parse(str(until)),
        at_quota=_flag(body["at_quota"]),
    )


def _ids(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and _ID.fullmatch(each) for each in value):
        raise ValueError("what it calls a list of snapshots is none")
    return tuple(dict.fromkeys(value))


def _number(body: dict[str, object], name: str, *, least: int) -> int:
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 100_000_000:
        raise ValueError(f"its {name} is {value!r}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("its policy is no text")
    return value[:_LONGEST]


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("its at_quota is neither true nor false")
    return value


def _too_old() -> AgentError:
    error = AgentError(
        "portal_too_old",
        "The portal is older than this agent: it has no retention policies, and cannot say which snapshots may go.",
        "Ask an administrator to bring the portal up to date; until then every snapshot stays.",
    )
    error.before_the_run = True
    return error


def _not_understood(what: str) -> AgentError:
    return AgentError(
        "answer_not_understood",
        f"The portal's answer about which snapshots go cannot be used: {what}. Nothing was deleted.",
        "Tell an administrator of the portal; every snapshot stays until then.",
    )
