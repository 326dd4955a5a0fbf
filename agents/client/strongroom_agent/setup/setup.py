"""The command `setup`, once all answers are there: from a credential to a machine that is backed up and restored.

It can be repeated after any interruption: what is done is found done, the rest is done.
"""

import socket
from dataclasses import replace
from functools import partial
from pathlib import Path

from strongroom_agent.commands.schedule import changed
from strongroom_agent.core.errors import AgentError, Refused
from strongroom_agent.core.output import Done, progress
from strongroom_agent.core.paths import absolute
from strongroom_agent.portal import credential, enrolment_code, registration
from strongroom_agent.portal import progress as progress_told
from strongroom_agent.portal.progress import Teller
from strongroom_agent.restic import engine, snapshots
from strongroom_agent.state import forgotten, identity, last_snapshot, settings
from strongroom_agent.state.backup_options import BackupOptions
from strongroom_agent.state.home import Home
from strongroom_agent.state.identity import Identity
from strongroom_agent.state.session import Session
from strongroom_agent.state.settings import Settings

from . import (
    cache_folder,
    checks,
    finish,
    folders,
    install,
    kept_answers,
    passphrase,
    repeated,
    repository,
    schedule_step,
)
from . import protect as setup_protect
from .checks import SetupOptions


def run(home: Home, options: SetupOptions) -> Done:
    """Check everything that can be checked here, register, back up, restore, compare, report; whoever looks at the
    portal's page sees how far it is."""
    teller = Teller()
    try:
        done = _run(home, options, teller)
    except AgentError as error:
        teller.ended(error.code)
        raise
    except BaseException as error:
        teller.ended("interrupted" if isinstance(error, KeyboardInterrupt) else "internal")
        raise
    teller.ended()
    return done


def _run(home: Home, options: SetupOptions, teller: Teller) -> Done:
    wanted = None if options.name is None else checks.machine_name(options.name)
    offered = options.offered
    if offered or options.once:
        vault_id = offered.vault_id if offered else repeated.vault_of(options.credentials)
        if answer := repeated.nothing_to_do(home, vault_id):
            return answer
    chosen = _check_installation(home, options, teller)
    engine.find()
    teller.checked("program")
    if offered:
        name = wanted or checks.machine_name(socket.gethostname())
        enrolment_code.exchange(home, offered, name, options.proxy_url)
    given = checks.credential_file(home, options)
    name = checks.name_for(given, wanted)
    existing = registration.current(home, given, name)
    before = settings.before_setup(home) if identity.load(home) else None
    saved_to = passphrase.settle(home, _passphrase(given, before, options), options.save_passphrase_to, before)
    unprotected = setup_protect.no_longer(before.protect if before else [], chosen.protect)
    if unprotected:
        progress(f"note: {finish.about(unprotected)}")
    _save(home, chosen, before, options)
    program = install.install(Path(chosen.install_dir))
    registered = existing or _register(home, given, name, chosen, saved_to)
    session = Session(home, registered, settings.load(home) or chosen, teller=teller)
    _tell(session, teller)
    session.prepare()
    repository.ensure(session)
    earlier = snapshots.all_of(session.restic(session.primary)) if given.replaces else []
    settle = partial(schedule_step.settle, session, program, schedule=options.schedule, link=options.link)
    done = finish.prove(session, program, earlier, options.save_passphrase_to, unprotected, settle)
    kept_answers.forget(home)
    repeated.done(home, registered)
    return done


def _tell(session: Session, teller: Teller) -> None:
    """From now on there is a machine that can tell. What was looked at so far was in order, or we were not here."""
    teller.checked("proxy", through_proxy=bool(session.proxy))
    teller.checked("portal")
    teller.tell("storage")
    portal, soon = session.portal, progress_told.TIMEOUT
    send = partial(portal.post, "progress", attempts=1, timeout=soon)
    teller.start(lambda told: send(session.identity.signer, told).body)


def _passphrase(given: credential.Credential, before: Settings | None, options: SetupOptions) -> str | None:
    """The passphrase that was given, typed or in a file; None where one is to be generated, or goes on being used."""
    provided = options.passphrase is not None or options.passphrase_file is not None
    if given.replaces and before is None:
        passphrase.require_given(given.machine["name"], given=provided)
    if options.passphrase_file is not None:
        return passphrase.read(Path(options.passphrase_file), replaces=given.replaces)
    return options.passphrase


def _check_installation(home: Home, options: SetupOptions, teller: Teller) -> Settings:
    """Everything about folders and proxy, before anything is written but the folders themselves."""
    home.ensure()
    if options.proxy:
        settings.check_proxy(options.proxy)
    protect = setup_protect.choose(options.protect)
    checks.secrets_kept_out(home, options)
    cache_dir, install_dir = absolute(options.cache_dir), absolute(options.install_dir)
    folders.check_installation(Path(install_dir))
    extent = checks.extent(home, options)
    teller.checked("protected", files=extent.files, bytes=extent.bytes, unreadable=len(extent.unreadable))
    free = cache_folder.make(Path(cache_dir), extent)
    teller.checked("cache", free=free, needed=cache_folder.share_of(extent.bytes))
    return Settings(
        install_dir,
        cache_dir,
        protect.names,
        options.proxy,
        options.proxy_user,
        include_network=options.include_network,
        credential_file=absolute(options.credentials),
        passphrase_saved_to=absolute(options.save_passphrase_to) if options.save_passphrase_to else "",
    )


def _save(home: Home, chosen: Settings, before: Settings | None, options: SetupOptions) -> None:
    """Store the settings; what is known about the repository of an existing machine stays known."""
    settings.keep_proxy_password(home, options.proxy_password)
    chosen = replace(chosen, options=changed(before.options if before else BackupOptions(), options.changes))
    if before is not None:
        chosen = replace(chosen, key_hint=before.key_hint, opened=before.opened)
        if before.opened and not chosen.passphrase_saved_to:
            chosen = replace(chosen, passphrase_saved_to=before.passphrase_saved_to)
    settings.save(home, chosen)


def _register(home: Home, given: credential.Credential, name: str, chosen: Settings, saved_to: Path | None) -> Identity:
    """Register; a passphrase made for a registration that is refused opens nothing, and goes."""
    last_snapshot.forget(home)
    forgotten.forget(home)
    progress(f"registering {name} with vault {given.vault['name']}")
    try:
        return registration.register(home, given, name, settings.proxy_url(home, chosen))
    except Refused:
        if saved_to is not None:
            passphrase.take_back(home, saved_to)
        raise
