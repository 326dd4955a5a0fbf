"""From a path to a well-formed credential object; nothing in it is believed yet."""

import json
from pathlib import Path

from strongroom_agent.core.errors import AgentError

from .credential_errors import invalid, unreadable

FORMAT = "strongroom-vault-credentials/1"
TEXT_FIELDS = (
    "format",
    "purpose",
    "portal_url",
    "edge_url",
    "ca_certificates",
    "agent_signing_key",
    "certificate",
    "issued_at",
    "expires_at",
    "signature",
)
_VAULT_FIELDS = ("id", "name", "subscription", "region")
# By purpose, which machine the file must name.
_MACHINE_FIELDS = {"register": None, "replace": ("id", "name")}
# A real file has about 6 KB; whatever is larger than this is something else.
_LIMIT = 256 * 1024


def read_object(path: Path) -> dict[str, object]:
    """The credential's fields, all present and of the right type. AgentError otherwise."""
    fields = _parse(path, _read(path))
    if fields.get("format") != FORMAT:
        raise invalid(_about_format(fields.get("format")))
    for name in TEXT_FIELDS:
        if not isinstance(fields.get(name), str):
            raise invalid(f"It is damaged: {name} is missing")
    if not _has_texts(fields.get("vault"), _VAULT_FIELDS):
        raise invalid("It is damaged: vault is missing or incomplete")
    _check_machine(str(fields["purpose"]), fields.get("machine"))
    if not isinstance(fields.get("private_key", ""), str | None):
        raise invalid("It is damaged: private_key is not a text")
    return fields


def _check_machine(purpose: str, machine: object) -> None:
    if purpose not in _MACHINE_FIELDS:
        raise invalid("Its purpose is unknown to this agent; get the current agent")
    wanted = _MACHINE_FIELDS[purpose]
    if wanted is not None and not _has_texts(machine, wanted):
        raise invalid("It is damaged: machine is missing or incomplete")


def _has_texts(value: object, names: tuple[str, ...]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in names)


def _read(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise unreadable(path, "this is not a file")
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
        if len(content) > _LIMIT:
            raise unreadable(path, "too large, so not a vault credentials file")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    except ValueError as error:  # not text, or a path with a NUL in it
        raise unreadable(path, "not a vault credentials file") from error


def _parse(path: Path, text: str) -> dict[str, object]:
    """What begins like our files but is broken is damaged; anything else is of the wrong type."""
    if not text.strip():
        raise unreadable(path, "the file is empty")
    broken: AgentError = unreadable(path, "not a vault credentials file")
    if text.lstrip().startswith("{"):
        broken = invalid("It is damaged: its text is not complete JSON")
    try:
        value = json.loads(text, object_pairs_hook=_without_repeats)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise broken from error
    if not isinstance(value, dict):
        raise unreadable(path, "not a vault credentials file")
    return value


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Readers disagree about which of two equal names counts, so there must not be two."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name occurs twice")
    return fields


def _about_format(found: object) -> str:
    if isinstance(found, str) and found.startswith("strongroom-vault-credentials/"):
        return "Its format is newer than this agent understands; get the current agent"
    return "It is not a Strongroom vault credentials file"
