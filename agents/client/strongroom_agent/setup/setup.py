"""The command `setup --unattended`: from a credential file or a code to a machine that is backed up and restored.

It can be repeated after any interruption: what is done is found done, the rest is done.
"""

import re
import socket
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from strongroom_agent.core import times
from strongroom_agent.core.errors import Refused, usage
from strongroom_agent.core.output import Done, progress
from strongroom_agent.core.paths import absolute
from strongroom_agent.portal import clock, credential, enrolment_code, registration
from strongroom_agent.portal.credential_errors import other_machine
from strongroom_agent.restic import engine, snapshots
from strongroom_agent.state import identity, last_snapshot, settings
from strongroom_agent.state.home import Home
from strongroom_agent.state.identity import Identity
from strongroom_agent.state.session import Session
from strongroom_agent.state.settings import Settings

from . import cache_folder, finish, install, passphrase, repeated, repository
from . import protect as setup_protect

_NAME = re.compile(r"[A-Za-z0-9.-]{1,63}")


@dataclass(frozen=True)
class SetupOptions:
    """The answers that setup needs, as the command line gives them."""

    credentials: str
    install_dir: str
    cache_dir: str
    protect: list[str]
    passphrase_file: str | None = None
    save_passphrase_to: str | None = None
    name: str | None = None
    include_network: bool = False
    proxy: str = ""
    proxy_user: str = ""
    proxy_password: str | None = field(default=None, repr=False)
    code: enrolment_code.Offered | None = None  # then `credentials` is where what it is worth will lie
    once: bool = False


def run(home: Home, options: SetupOptions) -> Done:
    """Check everything that can be checked here, register, back up, restore, compare, report."""
    wanted = None if options.name is None else machine_name(options.name)
    if options.code or options.once:
        vault_id = options.code.vault_id if options.code else repeated.vault_of(options.credentials)
        if answer := repeated.nothing_to_do(home, vault_id):
            return answer
    chosen = _check_installation(home, options)
    engine.find()
    if options.code:
        name = wanted or machine_name(socket.gethostname())
        enrolment_code.exchange(home, options.code, name, _proxy_of(options))
    given = credential.load(
        Path(options.credentials),
        times.now(),
        partial(registration.begun_with, home),
        partial(_time_of_portal, options),
    )
    name = _name_for(given, wanted)
    existing = registration.current(home, given, name)
    before = settings.before_setup(home) if identity.load(home) else None
    if given.replaces and before is None:
        passphrase.require_given(options.passphrase_file, given.machine["name"])
    saved_to = passphrase.settle(
        home, options.passphrase_file, options.save_passphrase_to, before, replaces=given.replaces
    )
    unprotected = setup_protect.no_longer(before.protect if before else [], chosen.protect)
    if unprotected:
        progress(f"note: {finish.about(unprotected)}")
    _save(home, chosen, before, options)
    program = install.install(Path(chosen.install_dir))
    registered = existing or _register(home, given, name, chosen, saved_to)
    session = Session(home, registered, settings.load(home) or chosen)
    session.prepare()
    repository.ensure(session)
    earlier = snapshots.all_of(session.restic(session.primary)) if given.replaces else []
    proven = finish.prove(session, program, earlier, options.save_passphrase_to, unprotected)
    repeated.done(home, registered)
    return proven


def _time_of_portal(options: SetupOptions, given: credential.Credential) -> datetime | None:
    return clock.of_portal(given.edge_url, given.ca_certificates, _proxy_of(options))


def _proxy_of(options: SetupOptions) -> str | None:
    if not options.proxy:
        return None
    return settings.with_sign_in(options.proxy, options.proxy_user, options.proxy_password)


def _name_for(given: credential.Credential, wanted: str | None) -> str:
    """The name to register under: that of the machine to be replaced, else what was asked for, else the host's."""
    if not given.replaces:
        return wanted or machine_name(socket.gethostname())
    replaced = given.machine["name"]
    if wanted is not None and wanted.casefold() != replaced.casefold():
        raise other_machine(wanted, replaced)
    return replaced


def machine_name(name: str) -> str:
    """The name, if a machine can have it. AgentError `usage` otherwise."""
    if not _NAME.fullmatch(name):
        raise usage(
            f"{name!r} cannot be the name of a machine.",
            "Give --name with 1-63 letters, digits, hyphens or dots.",
        )
    return name


def _check_installation(home: Home, options: SetupOptions) -> Settings:
    """Everything about folders and proxy, before anything is written but the folders themselves."""
    home.ensure()
    if options.proxy:
        settings.check_proxy(options.proxy)
    protect = setup_protect.choose(options.protect)
    cache_dir, network = absolute(options.cache_dir), options.include_network
    own = [cache_dir, str(home.folder.resolve())]
    secrets = {"--passphrase-file": options.passphrase_file, "--save-passphrase-to": options.save_passphrase_to}
    setup_protect.keep_out(protect, own, secrets, network=network)
    credential_file = absolute(options.credentials)
    cache_folder.check(Path(cache_dir), setup_protect.extent(protect, [*own, credential_file], network=network))
    return Settings(
        absolute(options.install_dir),
        cache_dir,
        protect.names,
        options.proxy,
        options.proxy_user,
        include_network=network,
        credential_file=credential_file,
    )


def _save(home: Home, chosen: Settings, before: Settings | None, options: SetupOptions) -> None:
    """Store the settings; what is known about the repository of an existing machine stays known."""
    settings.keep_proxy_password(home, options.proxy_password)
    if before is not None:
        chosen = Settings(**{**vars(chosen), "key_hint": before.key_hint, "opened": before.opened})
    settings.save(home, chosen)


def _register(home: Home, given: credential.Credential, name: str, chosen: Settings, saved_to: Path | None) -> Identity:
    """Register; a passphrase made for a registration that is refused opens nothing, and goes."""
    last_snapshot.forget(home)
    progress(f"registering {name} with vault {given.vault['name']}")
    try:
        return registration.register(home, given, name, settings.proxy_url(home, chosen))
    except Refused:
        if saved_to is not None:
            passphrase.take_back(home, saved_to)
        raise
