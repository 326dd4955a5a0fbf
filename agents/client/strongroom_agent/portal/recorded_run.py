"""Doing a run so that the portal hears of it, however it ends."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from strongroom_agent.core.errors import AgentError
from strongroom_agent.proof import damage
from strongroom_agent.proof.evidence import Evidence
from strongroom_agent.state.session import Session

from . import diagnosis, receipts, reports
from .reports import Run


class Reportable(Protocol):
    """The result of a run, as far as the portal is told."""

    @property
    def figures(self) -> Mapping[str, object]:
        """Fields of the report; `code` among them when a run that succeeded is not simply `done`."""

    @property
    def failure(self) -> AgentError | None:
        """Why the run counts as failed although it went to its end."""

    @property
    def remark(self) -> str:
        """What a person should know about a run that succeeded."""


R = TypeVar("R", bound=Reportable)


def record(session: Session, kind: str, work: Callable[[], R], so_far: Callable[[], Mapping[str, object]] = dict) -> R:
    """Do the work and report it. Its result; raises what the work raises, once that is reported.

    What is wrong with the question itself (`before_the_run`) is no run: it is raised and not reported.
    `so_far` gives figures of a run that fails, or is stopped, on its way.
    A report that cannot be delivered now waits in the queue and changes nothing about the outcome.
    """
    run = Run(kind)
    reports.begin(session.home, run)
    try:
        result = work()
    except AgentError as first:
        if first.before_the_run:
            reports.drop(session.home, run)
            raise
        error = diagnosis.judged(session.storage, session.identity.repositories[0], first)
        if error.code == "repository_damaged":
            damage.mark(session, error.problem, diagnosis.objects(error))
            error = damage.with_way_out(session, error)
        figures = {**so_far(), **damage.to_tell(session), "code": error.code}
        _report(session, run.report("failed", error.message, **figures))
        raise error from first
    except BaseException as error:
        # Stopped by a person, the system or a mistake of ours: no time for the network, the next run tells.
        stopped = isinstance(error, KeyboardInterrupt)
        why = str(error) or type(error).__name__
        figures = {**so_far(), "code": "interrupted" if stopped else "internal"}
        reports.end(session.home, run.report("failed", f"The run was cut short ({why}).", **figures))
        raise
    # What a check that has passed was told before is over.
    told = damage.to_tell(session) if result.failure or kind != "check" else {}
    seen: Evidence | None = getattr(result, "evidence", None)  # of a restore check
    if failure := result.failure:
        figures = {**result.figures, "code": failure.code, **told}
        _report(session, run.report("failed", failure.message, **figures), seen)
        raise failure
    _report(session, run.report("succeeded", result.remark, **{"code": "done", **result.figures, **told}), seen)
    return result


def _report(session: Session, report: dict[str, object], evidence: Evidence | None = None) -> None:
    receipts.add(session, report, evidence)
    reports.end(session.home, report)
    session.deliver_reports()
