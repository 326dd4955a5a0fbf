"""What machines call, at the edge: bodies are signed, or hold a one-time code (docs/protocol.md), so neither session
nor token is asked for."""

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from agents import machines
from agents.enrolment import code_exchange, code_request, registration, renewal
from agents.monitoring import progress, runs
from agents.packages import updates
from agents.protocol.errors import ClockSkew, CredentialRefused, MachineExists
from agents.storage_access import retaining
from portal.api.problems import refuses
from portal.core.errors import Invalid, NotAllowed, StaleState, Throttled
from portal.core.http import client_address
from portal.core.times import rfc3339
from portal.pki.jws import MOST_BYTES
from vaults.credentials.issuance import VaultNotActive
from vaults.credentials.redemption import CodeRefused

router = Router()
T = TypeVar("T")
_JOSE = "application/jose"
_BODY = {
    "requestBody": {
        "required": True,
        "description": "A compact JWS (ES256) with the signer's certificate chain in `x5c`; see docs/protocol.md.",
        "content": {_JOSE: {"schema": {"type": "string", "maxLength": MOST_BYTES}}},
    }
}
_JSON = "application/json"
_CODE_BODY = {
    "requestBody": {
        "required": True,
        "description": "`code`, `csr`, `name` and `vault` in canonical JSON (RFC 8785); see docs/protocol.md.",
        "content": {_JSON: {"schema": {"type": "object", "maxLength": code_request.MOST_BYTES}}},
    }
}
_SIGNED = _BODY | refuses(NotAllowed, ClockSkew, Throttled, StaleState)
_Answer = dict[str, object]


@router.post(
    "/register",
    response={200: _Answer, 201: _Answer},
    openapi_extra=_BODY | refuses(CredentialRefused, MachineExists, VaultNotActive, ClockSkew, Throttled),
    summary="Register a machine",
)
def register(request: HttpRequest) -> Status[_Answer]:
    """With a vault credential; repeating it with the same credential, name and key gives the same machine."""
    found = _answered(registration.register, request)
    return Status(201 if found.created else 200, found.answer)


@router.post(
    "/redeem",
    response={200: _Answer, 201: _Answer},
    openapi_extra=_CODE_BODY | refuses(CodeRefused, VaultNotActive, Throttled),
    summary="Redeem a one-time code",
)
def redeem(request: HttpRequest, response: HttpResponse) -> Status[_Answer]:
    """For a credential without its private key, which the machine has; the same code and key get the same one again."""
    response["Cache-Control"] = "no-store"
    body = _body(request, _JSON, code_request.MOST_BYTES)
    found = code_exchange.redeem(body, address=client_address(request))
    return Status(201 if found.created else 200, found.document)


@router.post("/renew", response=_Answer, openapi_extra=_SIGNED, summary="Renew a machine's certificate")
def renew(request: HttpRequest) -> _Answer:
    """With the machine's current key, for a new one."""
    return _answered(renewal.renew, request)


@router.post("/runs", response=_Answer, openapi_extra=_SIGNED, summary="Report a run")
def report(request: HttpRequest) -> _Answer:
    """A backup, a restore, a check; repeating it changes nothing."""
    answer = _answered(runs.report, request)
    return {"ok": True, "state": answer.state, "damaged": answer.damaged}


@router.post("/heartbeat", response=_Answer, openapi_extra=_SIGNED, summary="Send a heartbeat")
def heartbeat(request: HttpRequest) -> _Answer:
    """And hear whether it is time to renew, and whether what is stored is known to be damaged."""
    answer = _answered(machines.heartbeat, request)
    return {"ok": True, "state": answer.state, "renew": answer.renew, "damaged": answer.damaged}


@router.post("/progress", response=_Answer, openapi_extra=_SIGNED, summary="Tell how far setup is")
def tell_progress(request: HttpRequest) -> _Answer:
    """For the vault's Quick Start page; `noted` is false for what came too late, or of a machine that is set up."""
    return {"ok": True, "noted": _answered(progress.note, request)}


@router.post("/retain", response=_Answer, openapi_extra=_SIGNED, summary="Ask which snapshots go")
def retain(request: HttpRequest) -> _Answer:
    """By the vault's retention policy; without `dry_run` it is announced, and expected for a day, that they go."""
    answer = _answered(retaining.announce, request)
    return {
        "ok": True,
        "forget": answer.forget,
        "keep": answer.keep,
        "policy": str(answer.policy),
        "minimum_retention_days": answer.policy.minimum_retention_days,
        "until": rfc3339(answer.until) if answer.until else None,
        "at_quota": answer.at_quota,
    }


@router.post("/update", response=_Answer, openapi_extra=_SIGNED, summary="Ask for a newer agent")
def update(request: HttpRequest) -> _Answer:
    """The newest release as it was signed, whether this machine is to take it yet, and if not, why."""
    answer = _answered(updates.answer, request)
    return {"ok": True, "manifest": answer.manifest, "take": answer.take, "why": answer.why}


@router.post("/unregister", response=_Answer, openapi_extra=_SIGNED, summary="Unregister")
def unregister(request: HttpRequest) -> _Answer:
    """The machine's backups stay."""
    _answered(machines.unregister, request)
    return {"ok": True}


def _answered(act: Callable[..., T], request: HttpRequest) -> T:
    return act(_body(request), address=client_address(request))


def _body(request: HttpRequest, kind: str = _JOSE, most: int = MOST_BYTES) -> bytes:
    """The body, of which no more is read than could be a message."""
    if request.content_type != kind:
        raise Invalid({"body": [f"The content type must be {kind}."]})
    return request.read(most + 1)
