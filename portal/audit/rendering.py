"""An audit entry as a sentence: who, what, and links to what it is about.

Everything that an entry holds may come from outside, a name or a message of a machine: each value is escaped here, and
whatever is missing or of another form than expected is left out or shown as it is: old entries must stay readable.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, lru_cache
from html import escape, unescape
from ipaddress import ip_address
from urllib.parse import quote

from django.urls import reverse
from django.utils.safestring import SafeString

from portal.audit.models import AuditEvent
from portal.audit.sentences import ENDINGS, OUTCOMES, PAGES, REASONS, REFUSALS, SENTENCES, WAYS
from portal.core.digests import shortened
from portal.core.times import for_people
from portal.templatetags.amounts import binary, plural

REDUNDANCY = {"geo": "geo-redundant", "local": "locally redundant"}
ORIGINS = {"browser": "in the browser", "server": "by the portal", "machine": "on the machine"}
SYSTEM = {"system": "Strongroom"}
FIELD = re.compile(r"\{(\w+)(?::(\w+)(?: (\w+))?)?\}")
KEY_AT_END = re.compile(r"^(.+) [0-9a-f]{8}-[0-9a-f-]{27}$")
UUID_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ANY = "00000000-0000-0000-0000-000000000000"


def sentence(event: AuditEvent, *, auditor: bool = True) -> SafeString:
    """What happened, for a page; only `auditor`s get links into the log, to what else somebody or something did."""
    text = _text_of(event)
    parts = [_fill(part, event, auditor) for part in _parts(text)]
    told = "".join(part for part in parts if part is not None)
    if event.refused:
        told += _why(event.detail)
    return SafeString(f"{_who(event, auditor)} {told.rstrip('.')}.")


def plain(event: AuditEvent) -> str:
    """The sentence without markup, as plain text: a page has to escape it."""
    return unescape(re.sub(r"<[^>]*>", "", sentence(event, auditor=False)))


def came_by(event: AuditEvent) -> str:
    """From where and by which way: `this computer (::1), portal`."""
    return ", ".join(part for part in (address_words(event.address), WAYS.get(event.via, event.via)) if part)


@lru_cache(maxsize=1024)
def address_words(address: str) -> str:
    """The address, and what it means where that is this computer itself."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    mapped = getattr(known, "ipv4_mapped", None)
    return f"this computer ({address})" if known.is_loopback or (mapped and mapped.is_loopback) else address


def page_url(kind: str, key: str) -> str:
    """The page of what an entry is about; empty when there is none."""
    if kind not in PAGES or not UUID_KEY.fullmatch(key):
        return ""
    return _page(kind).replace(ANY, key)


@cache
def _page(kind: str) -> str:
    """The page of a kind with a key to be replaced: looked up once instead of for each entry."""
    return reverse(PAGES[kind], args=[ANY])


def words_of_code(code: object) -> str:
    """A code of a refusal in words."""
    return REASONS.get(str(code), str(code).replace("_", " "))


def _text_of(event: AuditEvent) -> str:
    outcome = event.action, str(event.detail.get("outcome"))
    known = (REFUSALS.get(event.action) if event.refused else None) or OUTCOMES.get(outcome)
    return known or SENTENCES.get(event.action) or f"{_spoken(event.action)}{' {target}' if event.target_label else ''}"


def _spoken(action: str) -> str:
    """An action that has no sentence: `vault: frobnicate`. Braces and brackets would be read as ours."""
    return re.sub(r"[{}\[\]]", "", action).replace("-", " ").replace("_", " ").replace(":", ": ").replace("/", " ")


def _why(detail: Mapping[str, object]) -> str:
    why = f": {escape(words_of_code(detail['code']))}" if detail.get("code") else ""
    repeated = detail.get("repeated")
    return f"{why}, {plural(repeated, 'more time')}" if isinstance(repeated, int) else why


def _who(event: AuditEvent, auditor: bool) -> str:
    label = event.actor_label
    name = f"<strong>{escape(SYSTEM.get(label, label))}</strong>"
    url = _url_of_machine(event) or (f"{_log()}?person={quote(label, safe='')}" if auditor else "")
    return f'<a href="{escape(url)}">{name}</a>' if url else name


def _url_of_machine(event: AuditEvent) -> str:
    """The page of the machine that tells of itself."""
    itself = event.target_type == "machine" and event.actor_label == f"machine {event.target_label}"
    return page_url("machine", event.target_id) if itself else ""


@cache
def _log() -> str:
    return reverse("audit:list")


@cache
def _parts(text: str) -> tuple[str, ...]:
    """The text in pieces: those in brackets, which may be left out, keep their bracket."""
    return tuple(piece for piece in re.split(r"(\[[^\]]*)\]", text) if piece)


def _fill(part: str, event: AuditEvent, auditor: bool) -> str | None:
    optional, filled, done = part.startswith("["), [], int(part.startswith("["))
    for match in FIELD.finditer(part):
        value = _value(match, event, auditor)
        if not value and optional:
            return None
        filled += [escape(part[done : match.start()]), value or "–"]
        done = match.end()
    return "".join([*filled, escape(part[done:])])


def _value(match: re.Match[str], event: AuditEvent, auditor: bool) -> str:
    name, kind, noun = match.groups()
    if name == "target":
        return _target(event)
    value = event.detail.get(name)
    if value is None or value == "":
        return ""
    if kind == "vault":
        url, text = page_url("vault", str(event.vault_id or "")), escape(str(value))
        return f'<a href="{url}">{text}</a>' if url else text
    if kind == "person":
        text = escape(str(value))
        return f'<a href="{_log()}?person={escape(quote(str(value), safe=""))}">{text}</a>' if auditor else text
    if kind == "serial":
        text = f'<code title="{escape(str(value))}">{escape(shortened(value))}</code>'
        return f'<a href="{_log()}?credential={escape(quote(str(value), safe=""))}">{text}</a>' if auditor else text
    return escape(_shown(value, kind or "", noun or ""))


def _shown(value: object, kind: str, noun: str) -> str:
    if isinstance(value, int) and kind in {"many", "some", "number", "size"}:
        if kind == "some" and not value:
            return ""
        return binary(value) if kind == "size" else f"{value:,}" if kind == "number" else plural(value, noun)
    return SHOWN[kind](value) if kind in SHOWN else str(value)


def _time(value: object) -> str:
    try:
        return for_people(datetime.fromisoformat(str(value)))
    except ValueError:
        return str(value)


def _list(value: object) -> str:
    return (", ".join(str(one) for one in value) or "none") if isinstance(value, list) else str(value)


SHOWN: Mapping[str, Callable[[object], str]] = {
    "time": _time,
    "list": _list,
    "code": words_of_code,
    "ending": lambda value: ENDINGS.get(str(value), ""),
    "redundancy": lambda value: REDUNDANCY.get(str(value), str(value)),
    "origin": lambda value: ORIGINS.get(str(value), str(value)),
}


def _target(event: AuditEvent) -> str:
    label, url = event.target_label, page_url(event.target_type, event.target_id)
    if event.target_type == "operation":
        found = KEY_AT_END.match(label)  # the work by name; the key of the vault says nothing
        label = found[1] if found else label
    if event.target_type != "vault" and not url and event.vault_id:
        url = page_url("vault", str(event.vault_id))
    text = escape(label)
    return f'<a href="{escape(url)}">{text}</a>' if url and text else text
