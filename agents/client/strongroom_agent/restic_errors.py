"""What restic prints when it fails, turned into messages with a remedy."""

import json
import re

from .errors import AgentError

_NETWORK = (
    "connection refused",
    "no such host",
    "i/o timeout",
    "network is unreachable",
    "no route to host",
    "connection reset",
    "TLS handshake",
    "x509:",
    "tls:",
    "proxyconnect",
    "unexpected EOF",
)
_FULL = "no space left on device"
_STATUS = re.compile(r"unexpected HTTP response \((\d{3})\)|server response unexpected: (\d{3})")


def explain(command: str, status: int, complaints: list[str]) -> AgentError:
    """The error for a restic that ended with `status`, after the lines that it left behind."""
    text = "\n".join(complaints)
    if "wrong password or no key found" in text:
        return wrong_passphrase()
    if "already locked" in text:
        return _locked(text)
    if found := _STATUS.search(text):
        return storage_refusal(int(found[1] or found[2]))
    if "no matching ID found" in text or "no snapshot found" in text:
        return unknown_snapshot()
    if any(sign in text for sign in _NETWORK):
        return AgentError(
            "network",
            f"The connection to the storage broke: {_last_words(complaints)}.",
            "Check this machine's network and proxy, then try again; what was sent is kept.",
        )
    if _FULL in text:
        return AgentError(
            "disk_full",
            f"A disk of this machine is full: {_about_full(complaints)}.",
            "Free some space, in the cache folder or where files are restored to, then try again.",
        )
    return AgentError(
        "engine_failed",
        f"restic {command} failed with status {status}: {_last_words(complaints)}.",
        "Run strongroom-agent check; if it fails too, tell the vault's people what this says.",
    )


def is_final(line: str) -> bool:
    """Whether a line of restic's tells of something that no retry will change: no entry, no room there or here."""
    if "retrying after" in line and _FULL in line:
        return True
    found = _STATUS.search(line)
    return found is not None and (found[1] or found[2]) in ("403", "507")


def wrong_passphrase() -> AgentError:
    """The repository exists, and its keys do not open with this machine's passphrase."""
    return AgentError(
        "passphrase_wrong",
        "The passphrase does not open this machine's backups: they were made with another one.",
        "Give the passphrase that was used first with --passphrase-file and run setup again; nobody "
        "can recover the data without it.",
    )


def unknown_snapshot() -> AgentError:
    """The user asked for a snapshot that is not there."""
    return AgentError(
        "snapshot_unknown",
        "There is no such snapshot.",
        "Run strongroom-agent snapshots to see which there are.",
    )


def storage_refusal(status: int) -> AgentError:
    """The error for an HTTP status with which the storage refuses."""
    if status == 403:
        return AgentError(
            "not_allowed",
            "The storage does not let this machine in: it is revoked, suspended or unregistered.",
            "Ask the people of the vault; its Registered machines tab in the portal says why. To register "
            "this machine anew, run strongroom-agent unregister --forget, then setup.",
        )
    if status == 507:
        return AgentError(
            "quota_full",
            "The vault has no room left for this machine.",
            "Ask the people of the vault for more; what is stored can still be restored.",
        )
    return AgentError(
        "unavailable",
        f"The storage gives no usable answer at the moment (HTTP {status}).",
        "Try again in a few minutes; if it goes on, tell the people who run the portal.",
    )


def _locked(text: str) -> AgentError:
    who = re.search(r"locked (?:exclusively )?by (PID \d+ on \S+)", text)
    return AgentError(
        "repository_locked",
        f"The backups are in use by another run ({who[1] if who else 'unknown'}).",
        "Wait until it has finished; a lock left by a run that died is ignored after half an hour.",
    )


def _about_full(complaints: list[str]) -> str:
    """The last line that says so, without what restic says of its own retries."""
    found = [_plain(line) for line in complaints if _FULL in line][-1]
    return re.sub(r"^.*retrying after [^:]*: ", "", found).strip().rstrip(".")[:400]


def _last_words(complaints: list[str]) -> str:
    """The line that says most: the one with Fatal, else the last."""
    lines = [_plain(line) for line in complaints]
    fatal = [line for line in lines if line.startswith("Fatal:")]
    chosen = (fatal or lines or ["it said nothing"])[-1]
    return chosen.removeprefix("Fatal:").strip().rstrip(".")[:400]


def _plain(line: str) -> str:
    """Newer versions say it in JSON."""
    if not line.startswith("{"):
        return line
    try:
        value = json.loads(line)
    except ValueError:
        return line
    return str(value.get("message") or line) if isinstance(value, dict) else line
