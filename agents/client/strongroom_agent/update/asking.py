"""Asking the portal which release there is, and whether this machine is to take it now."""

from dataclasses import dataclass

from strongroom_agent import __version__
from strongroom_agent.core.errors import AgentError
from strongroom_agent.state.session import Session

from .places import system

_LONGEST = 300  # characters of a reason, which is shown


@dataclass(frozen=True)
class Shown:
    """`manifest` as it was sent, None where no release is published; `take` and `why`: the administrators' stages."""

    manifest: object
    take: bool
    why: str


def ask(session: Session, kind: str) -> Shown:
    """What the portal says; nothing of it is believed yet. AgentError `portal_too_old`, `answer_not_understood`."""
    platform, architecture = system()
    fields: dict[str, object] = {"version": __version__, "kind": kind, "platform": platform}
    fields["architecture"] = architecture
    body = session.portal.post("update", session.identity.signer, fields, unknown=_too_old()).body
    take, reason = body.get("take"), body.get("why")
    if not isinstance(take, bool) or not isinstance(reason, str):
        raise AgentError(
            "answer_not_understood",
            "The portal's answer about updates cannot be used. Nothing was changed.",
            "Tell an administrator of the portal.",
        )
    return Shown(body.get("manifest"), take, reason[:_LONGEST])


def _too_old() -> AgentError:
    return AgentError(
        "portal_too_old",
        "The portal is older than this agent: it offers no updates.",
        "Ask an administrator to bring the portal up to date.",
    )
