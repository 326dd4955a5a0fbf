"""The page of all codes."""

import re
from collections.abc import Iterable
from http import HTTPStatus

from strongroom_agent.core.errors import REFUSALS, AgentError, Exit

from docs.reference.refusals import BASE, CLIENT, ROOT, Said, kinds_of_portal, of_agent, of_portal
from docs.reference.sources import GAP, Library

HEAD = """# Codes

<!-- Made from the code by `make docs`. Change nothing here. -->

Each answer of the agent (with `--json`) and each refusal of the portal's API carries a `code`. This page has all of
them: how their messages begin, what to do, and which file of the sources says it. An ellipsis stands for what is known
only when it happens. What the portal refuses to a machine arrives there with the same code and message; the agent then
ends with exit status 3 for the refusals of vault credentials, and with 1 else.
"""
README = "../agents/client/README.md#for-scripts"
WELL = f"All is done that was asked for. What the codes of backups mean is in [the agent's README]({README})."
_FLAG = re.compile(r"(?<![\w`-])(--?[a-z][a-z-]*)(?![\w`])")
_COMMANDS = "setup|backup|restore|check|repair|status|renew|unregister|snapshots|schedule|doctor|retain|update"
_AGENT = re.compile(rf"(?<!`)(strongroom-agent(?: (?:{_COMMANDS})\b)?)")
_SPECIAL = re.compile(r"([\\*_\[\]<>|{}$])")
LONGEST = 240


def page() -> str:
    """The whole page, in Markdown."""
    said = [*of_agent(), *of_portal()]
    about = _about()
    parts = [HEAD, *(_section(code, [each for each in said if each.code == code], about) for code in _codes(said))]
    return "\n".join(parts)


def _codes(said: Iterable[Said]) -> list[str]:
    return sorted({each.code for each in said})


def _about() -> dict[str, str]:
    """What the class of a code says of itself, where it has that code alone."""
    kinds = kinds_of_portal(Library(ROOT, "portal", "vaults", "agents", without=CLIENT))
    return {kind.code: kind.about for name, kind in kinds.items() if name != BASE and not kind.codes and kind.about}


def _section(code: str, said: list[Said], about: dict[str, str]) -> str:
    lines = [f"## `{code}`", "", _statuses(code, said), ""]
    if code.startswith("done"):
        lines += [WELL, ""]
    elif code in about:
        lines += [_words(about[code]), ""]
    rows = [each for each in said if each.message]
    if rows:
        lines += ["| message begins | what to do | said by |", "|---|---|---|"]
        lines += dict.fromkeys(f"| {_words(each.message)} | {_remedy(each)} | `{each.file}` |" for each in rows)
        lines.append("")
    return "\n".join(lines)


def _statuses(code: str, said: list[Said]) -> str:
    parts = []
    if code in REFUSALS or any(not each.status for each in said):
        ends = Exit.DONE if code.startswith("done") else AgentError(code, "").exit_status
        parts.append(f"The agent's exit status: {int(ends)}.")
    numbers = sorted({each.status for each in said if each.status})
    if numbers:
        parts.append(f"HTTP status: {', '.join(f'{number} ({HTTPStatus(number).phrase})' for number in numbers)}.")
    return " ".join(parts)


def _remedy(said: Said) -> str:
    return " *Or:* ".join(_words(remedy) for remedy in said.remedies) or "as the message says"


def _words(text: str) -> str:
    """As Markdown shows it: gaps once, flags as code, nothing that Markdown takes for its own."""
    text = re.sub(rf"{GAP}(?: ?{GAP})+", GAP, " ".join(text.split()))
    text = text if len(text) <= LONGEST else f"{text[:LONGEST].rsplit(' ', 1)[0]} {GAP}"
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _plain(part) for part in parts)


def _plain(text: str) -> str:
    return _AGENT.sub(r"`\1`", _FLAG.sub(r"`\1`", _SPECIAL.sub(r"\\\1", text)))
