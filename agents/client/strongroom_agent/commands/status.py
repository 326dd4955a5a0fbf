"""The commands `status`, `renew` and `unregister`."""

from strongroom_agent import __version__
from strongroom_agent.core.errors import AgentError, Refused
from strongroom_agent.core.output import Done, progress
from strongroom_agent.core.times import for_people, now, render
from strongroom_agent.portal import registration, renewal, reports
from strongroom_agent.proof import losses, parts, proven
from strongroom_agent.schedule import history, installation
from strongroom_agent.state import departure, forgotten, identity, last_snapshot, passphrase, status_lines
from strongroom_agent.state.home import Home
from strongroom_agent.state.session import Session, describe, open_session
from strongroom_agent.update import memory

_FORGET = "strongroom-agent unregister --forget deletes its keys here all the same."


def run(session: Session) -> Done:
    """What this machine knows about itself, and what the portal says about it now.

    A portal out of reach is part of the answer, not a failure; being refused is one, told with all that is known here.
    """
    try:
        portal = _ask_portal(session)
    except Refused as refused:
        said = "\n".join([*status_lines.lines(session), refused.problem])
        known = {**describe(session.identity), **status_lines.details(session)}
        raise Refused(refused.code, said, refused.remedy, **{**known, **refused.details}) from refused
    current = session.identity
    there = f"the portal says {portal['state']}" if portal["reachable"] else "portal out of reach"
    text = (
        f"{current.name} in vault {current.vault['name']}: {there}; "
        f"certificate valid until {for_people(current.expires_at)}."
    )
    return Done(
        "\n".join([text, *status_lines.lines(session)]),
        details={
            **describe(current),
            **status_lines.details(session),
            "renew_after": render(current.renew_after),
            "protect": session.settings.protect,
            "cache_dir": session.settings.cache_dir,
            "install_dir": session.settings.install_dir,
            "repositories": [vars(each) for each in current.repositories],
            "reports_waiting": reports.waiting(session.home),
            "reports_refused": reports.refused(session.home),
            "portal": portal,
            "schedule": installation.describe(session.home),
            "update": memory.told(session.home),
            "agent_version": __version__,
            "engine_version": session.engine.version,
        },
    )


def run_renew(session: Session) -> Done:
    """Renew the certificate now, whether it is time or not."""
    session.identity = renewal.renew(session.home, session.identity, session.portal)
    until = for_people(session.identity.expires_at)
    return Done(f"The certificate is valid until {until}.", details=describe(session.identity))


def run_unregister(session: Session, *, forget: bool) -> Done:
    """Take this machine out of its vault and delete its keys here; what is stored stays stored.

    With `forget` the keys go even if the portal refuses or cannot be reached. The passphrase is
    never deleted, since the backups are worth nothing without it.
    """
    told, taken = True, ""
    if forget:
        session.say_nothing_of_reports()
    try:
        _leave(session)
    except AgentError as error:
        if not forget and error.code == "not_allowed":
            remedy = f"{error.remedy} {_FORGET}".strip()
            raise Refused(error.code, f"{error.problem} {_FORGET}", remedy, **error.details) from error
        if not forget:
            raise
        told, taken = False, departure.place_taken(error)
    kept = forget_here(session.home, session.identity.machine_id)
    departure.note(session.home, session.identity, kept, taken)
    name, vault = session.identity.name, session.identity.vault["name"]
    text = f"{name} is no longer registered with vault {vault}."
    if not told:
        text = f"{name} has forgotten vault {vault}; the portal was not told."
    return Done(
        f"{text} The passphrase is kept in {kept}." if kept else text,
        details={**describe(session.identity), "told": told, "passphrase_kept": kept},
    )


def run_forget(home: Home) -> Done:
    """`unregister --forget`, which must also do where our own files are damaged."""
    try:
        session = open_session(home)
    except AgentError as error:
        unregistered = error.code == "not_registered" and identity.load(home) is None
        if unregistered and not registration.begun(home):
            raise departure.known(home) or _nothing_here(home, error.remedy) from error
        departure.forget(home)
        kept = forget_here(home, f"unknown-{render(now()).replace(':', '')}")
        text = "This machine has forgotten its vault; the portal was not told."
        if unregistered:
            text = "Nothing is registered here: setup had begun, and what it kept is deleted. The portal was not told."
        remedy = "Have the machine revoked in the portal, if it is still there."
        about = f"The passphrase is kept in {kept}." if kept else ""
        details: dict[str, object] = {"told": False, "passphrase_kept": kept}
        return Done(" ".join(filter(None, [text, about, remedy])), remedy=remedy, details=details)
    return run_unregister(session, forget=True)


def _nothing_here(home: Home, remedy: str) -> AgentError:
    about = f"there is nothing about a vault in {home.folder}."
    return AgentError("not_registered", f"Nothing is registered here, and nothing was changed: {about}", remedy)


def _leave(session: Session) -> None:
    """Tell the portal, which takes it from the newest certificate alone: one that has ended, or whose renewal was not
    heard of here, is renewed first. Asked before that, since a machine that has left already renews nothing."""
    session.deliver_reports()
    try:
        session.portal.post("unregister", session.identity.signer, {})
    except Refused as refused:
        if refused.code != "not_allowed":
            raise
        session.identity = renewal.renew(session.home, session.identity, session.portal)
        session.deliver_reports()
        session.portal.post("unregister", session.identity.signer, {})


def forget_here(home: Home, owner: str) -> str | None:
    """Delete this machine's keys and reports. Where the passphrase is kept, if there was one."""
    _unschedule(home)
    kept = passphrase.set_aside(home, owner)
    for part in (reports, last_snapshot, forgotten, losses, renewal, registration, identity, history, proven, parts):
        part.forget(home)
    return str(kept) if kept else None


def _unschedule(home: Home) -> None:
    """A machine that has left is not started any more; a scheduler that keeps it is no reason to stay."""
    try:
        installation.remove(home)
    except (AgentError, OSError) as error:
        progress(f"note: the schedule could not be taken out: {error}")


def _ask_portal(session: Session) -> dict[str, object]:
    try:
        answer = session.sign_of_life()
    except AgentError as error:
        if error.code not in ("network", "unavailable", "throttled"):
            raise
        return {"reachable": False, "state": None, "detail": error.message}
    return {"reachable": True, "state": answer.body.get("state"), "detail": ""}
