"""From a one-time code to a credential: what a machine does that has no credential file.

Decode, count the try, find the code, act. What was refused is noted after the roll-back, as for registrations.
"""

from django.utils import timezone

from agents.enrolment import code_request
from agents.enrolment.code_request import CodeRequest
from agents.protocol import refusal_log
from portal.core.actor import Actor, Via
from portal.core.errors import DomainError
from vaults.credentials import code_tries, redemption
from vaults.credentials.redemption import Redeemed
from vaults.models import OneTimeCode

ENDPOINT = "redeem"


def redeem(body: bytes, *, address: str) -> Redeemed:
    """Give the machine that sent `body` the credential of its code, to the key of its certificate request.

    Raises Invalid, Throttled, CodeRefused and VaultNotActive. The same code and key get the same credential again.
    """
    try:
        asked = code_request.read(body)
        code = _found(asked, address)
    except DomainError as refused:
        refusal_log.note_stranger(ENDPOINT, refused, address=address)
        raise
    actor = Actor(label=f"machine {asked.name}", via=Via.AGENT, address=address)
    if code is None:
        wrong = redemption.wrong()
        refusal_log.note_wrong_code(asked.vault_id, asked.name, wrong, address=address, at=timezone.now())
        raise wrong
    try:
        return redemption.redeem(code, asked.key, actor=actor)
    except DomainError as refused:
        refusal_log.note_code(code, asked.name, refused, address=address, at=timezone.now())
        raise


def _found(asked: CodeRequest, address: str) -> OneTimeCode | None:
    """The code; a try that found none is kept and counts. Raises Throttled."""
    taken = code_tries.take(asked.vault_id, address=address)
    code = redemption.find(asked.vault_id, asked.code)
    if code is not None:
        code_tries.give_back(taken)
    return code
