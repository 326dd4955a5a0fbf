"""A request to redeem a one-time code, as docs/protocol.md has it: one JSON object in one form, nothing signed.

Whoever sends it has no certificate yet; that it holds the key is proven by the certificate request.
"""

import json
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from agents.protocol import certificates
from agents.protocol.messages import NAME, Request
from portal.core import digests
from portal.core.errors import Invalid
from portal.pki.crypto.keys import PublicKey
from vaults.credentials.code_text import WELL_FORMED

MOST_BYTES = 8 * 1024
UUID_FORM = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class _Fields(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    code: Annotated[str, StringConstraints(pattern=f"^{WELL_FORMED.pattern}$")]
    csr: Request
    name: Annotated[str, StringConstraints(pattern=NAME)]
    vault: Annotated[str, StringConstraints(pattern=UUID_FORM)]


@dataclass(frozen=True)
class CodeRequest:
    """A well-formed request; whether there is such a code is not looked at."""

    code: str
    key: PublicKey
    name: str
    vault_id: UUID


def read(body: bytes) -> CodeRequest:
    """The request in `body`, which must be the canonical form (RFC 8785) of its JSON. Raises Invalid."""
    if len(body) > MOST_BYTES:
        raise _not_understood(f"It has more than {MOST_BYTES // 1024} KiB.")
    try:
        content = json.loads(body)
        if not isinstance(content, dict) or digests.canonical(content) != body:
            raise _not_understood("It is not an object in canonical JSON (RFC 8785).")
        fields = _Fields.model_validate(content)
    except ValidationError as error:
        places = {".".join(str(part) for part in item["loc"]) or "body" for item in error.errors(include_input=False)}
        known = {place if place in _Fields.model_fields else "body" for place in places}
        raise Invalid({place: ["This is missing, unknown or malformed."] for place in sorted(known)}) from error
    except (ValueError, RecursionError) as error:
        raise _not_understood("It is not an object in canonical JSON (RFC 8785).") from error
    return CodeRequest(fields.code, certificates.requested_key(fields.csr), fields.name, UUID(fields.vault))


def _not_understood(why: str) -> Invalid:
    return Invalid({"body": [why]}, "The portal does not understand what the agent sent.")
