"""What the tests of replacements share: asking, agreeing, and the credential file that comes of it."""

from typing import Any
from uuid import UUID

from agents.models import Machine, ReplacementRequest
from agents.replacement import replacements
from portal.accounts.models import User
from tests.factories import as_actor

digest_of = replacements.workflow.digest_of


def ask(user: User, machine_id: str | UUID, reason: str = "The disk is broken.") -> ReplacementRequest:
    """Ask for a replacement of the machine."""
    return replacements.request(UUID(str(machine_id)), actor=as_actor(user), reason=reason)


def agree(user: User, asked: ReplacementRequest) -> ReplacementRequest:
    """Agree to the request as it is now."""
    now = ReplacementRequest.objects.select_related("machine").get(pk=asked.pk)
    return replacements.approve(asked.pk, actor=as_actor(user), comment="Agreed.", digest=digest_of(now))


def agreed(asker: User, decider: User, machine_id: str | UUID) -> ReplacementRequest:
    """A request that was agreed to."""
    return agree(decider, ask(asker, machine_id))


def file_for(asker: User, asked: ReplacementRequest) -> dict[str, Any]:
    """The document of the credential file."""
    return dict(replacements.issue(asked.pk, actor=as_actor(asker)).document)


def row(machine_id: str | UUID) -> Machine:
    """The machine as it is now."""
    return Machine.objects.get(pk=machine_id)
