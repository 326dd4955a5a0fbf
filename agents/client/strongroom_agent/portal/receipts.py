"""Receipts: what a backup, check or restore check has shown, signed by this machine's own key for whoever asks later.

They differ from requests to the portal by `typ`, and have no address, so that neither can pass for the other. The
portal hears of a receipt inside the report of the run; the machine keeps its own, with the list of proven files where
that is short enough. Names of files are in that list alone, which stays here.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from strongroom_agent import __version__
from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import progress
from strongroom_agent.proof.evidence import Evidence
from strongroom_agent.proof.proven import LATELY
from strongroom_agent.state.home import Home
from strongroom_agent.state.session import Session

from . import clock

KINDS = frozenset({"backup", "check", "restore_check"})
TYPE = "strongroom-receipt+jws"
FORMAT = "strongroom-receipt/1"
FOLDER = "receipts"
KEPT = 2000
"""Receipts that the machine keeps, of about four KiB each."""
LIST_LIMIT, LISTS_LIMIT = 8 * 1024 * 1024, 32 * 1024 * 1024
"""Bytes: the longest list of files that is kept, and all lists together; the oldest make room."""
_TOLD = ("run", "kind", "outcome", "code", "snapshot", "started_at", "finished_at")


def add(session: Session, report: dict[str, object], evidence: Evidence | None) -> None:
    """Sign a receipt for the run of this report, keep it, and put it into the report as `receipt`. That it cannot be
    made or kept, as for want of room, is no reason for the run to fail, or to fail for another reason than its own."""
    if report["kind"] not in KINDS:
        return
    try:
        compact = session.identity.signer.sign_as(TYPE, canonical(_content(session, report, evidence)))
        report["receipt"] = compact
        name = _name(report)
        session.home.write_text(f"{FOLDER}/{name}.jws", compact + "\n")
        if evidence is not None and evidence.files:
            lines = "".join(evidence.lines())
            if len(lines) <= LIST_LIMIT:
                session.home.write_text(f"{FOLDER}/{name}.files", lines)
        _make_room(session.home)
    except (AgentError, OSError) as error:
        progress(f"note: the receipt of this run is not kept on this machine ({error}).")


def canonical(content: Mapping[str, object]) -> bytes:
    """RFC 8785, for contents of texts and whole numbers under ASCII names."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def kept(home: Home) -> list[Path]:
    """The receipts of this machine and their lists, the oldest first."""
    folder = home.path(FOLDER)
    found = [each for each in folder.iterdir() if each.suffix in (".jws", ".files")] if folder.is_dir() else []
    return sorted(each for each in found if each.is_file() and not each.is_symlink() and not each.name.startswith("."))


def _content(session: Session, report: Mapping[str, object], evidence: Evidence | None) -> dict[str, object]:
    identity, portal_time = session.identity, clock.portal_time()
    figures = {name: value for name, value in report.items() if type(value) is int}
    proven: object = None
    if evidence is not None:
        proven = {"files": len(evidence.files), "bytes": evidence.bytes, "sha256": evidence.digest}
    return {
        "format": FORMAT,
        "machine": {"id": identity.machine_id, "name": identity.name},
        "vault": {"id": identity.vault["id"], "name": identity.vault["name"]},
        "region": identity.repositories[0].region,
        **{name: report.get(name, "") for name in _TOLD},
        "figures": figures,
        "proven": proven,
        "lately_days": LATELY,
        "agent_version": __version__,
        "engine_version": _engine_version(session),
        "portal_time": times.render(portal_time) if portal_time else None,
    }


def _engine_version(session: Session) -> str:
    """Empty where there is no engine, which is why some runs fail."""
    try:
        return session.engine.version
    except AgentError:
        return ""


def _name(report: Mapping[str, object]) -> str:
    """Begins with the time, so that names sort by it; good for every file system."""
    moment = times.parse(str(report["finished_at"])).strftime("%Y%m%dT%H%M%SZ")
    return f"{moment}_{report['kind']}_{str(report['run'])[:8]}"


def _make_room(home: Home) -> None:
    found = kept(home)
    signed = [each for each in found if each.suffix == ".jws"]
    lists = [each for each in found if each.suffix == ".files"]
    gone = {each.stem for each in signed[:-KEPT]}
    size = 0
    for each in reversed(lists):
        size += each.stat().st_size
        if size > LISTS_LIMIT:
            each.unlink()
    for each in found:
        if each.stem in gone:
            each.unlink(missing_ok=True)
