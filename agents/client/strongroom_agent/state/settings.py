"""What setup was told, kept for the runs that follow."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from strongroom_agent.core import surroundings
from strongroom_agent.core.errors import AgentError, usage
from strongroom_agent.core.output import progress

from . import backup_options
from .backup_options import BackupOptions
from .home import Home

_FILE = "settings.json"
PROXY_PASSWORD = "proxy-password"  # noqa: S105 - a file name


@dataclass(frozen=True)
class Settings:
    """Where things are on this machine, and what is backed up. All paths are absolute; those in `protect` are names,
    in which links are followed anew at each run."""

    install_dir: str
    cache_dir: str
    protect: list[str]
    proxy: str = ""
    proxy_user: str = ""
    # Which of several keys in the repository opens it; only needed after an interrupted `init`.
    key_hint: str = ""
    # Whether the passphrase on this machine has opened the repository: from then on it stays.
    opened: bool = False
    # Whether file systems of other computers, mounted inside what is protected, are backed up.
    include_network: bool = False
    # The credential file that set this machine up, which is not worth a backup.
    credential_file: str = ""
    # Where setup saved the passphrase that it generated, for people to find; nothing reads it from there.
    passphrase_saved_to: str = ""
    options: BackupOptions = field(default_factory=BackupOptions)

    @property
    def restic_cache(self) -> Path:
        """restic's own cache inside the cache folder."""
        return Path(self.cache_dir) / surroundings.RESTIC


def load(home: Home) -> Settings | None:
    """The settings on this machine; None before setup. AgentError `state_damaged`, which another setup mends."""
    try:
        stored = home.read_object(_FILE)
        if stored is None:
            return None
        options = backup_options.read(stored.pop("options", None))
        return _checked(Settings(**stored, options=options))  # type: ignore[arg-type]
    except (AgentError, TypeError) as error:
        raise AgentError(
            "state_damaged",
            f"The agent's own file {home.path(_FILE)} does not hold what it should.",
            "Run setup again, with vault credentials of the same vault.",
        ) from error


def before_setup(home: Home) -> Settings | None:
    """The settings that a repeated setup replaces.

    Of damaged ones we know only that the passphrase may be in use, so that it must not be exchanged.
    """
    try:
        return load(home)
    except AgentError as error:
        progress(f"note: {error.problem} It is written anew.")
        return Settings("", "", [], opened=True)


def _checked(found: Settings) -> Settings:
    texts = [found.install_dir, found.cache_dir, found.proxy, found.proxy_user, found.key_hint]
    texts += [found.credential_file, found.passphrase_saved_to]
    if not isinstance(found.protect, list) or not all(isinstance(each, str) for each in found.protect):
        raise TypeError("protect")
    if not isinstance(found.opened, bool) or not isinstance(found.include_network, bool):
        raise TypeError("opened or include_network")
    if not all(isinstance(each, str) for each in texts):
        raise TypeError("a text is none")
    return found


def save(home: Home, settings: Settings) -> None:
    """Replace the stored settings in one step."""
    home.write_object(_FILE, asdict(settings))


def keep_proxy_password(home: Home, password: str | None) -> None:
    """Keep the proxy's password in a file of its own, or drop the one from before."""
    if password is None:
        home.remove(PROXY_PASSWORD)
    else:
        home.write_text(PROXY_PASSWORD, password)


def proxy_url(home: Home, settings: Settings) -> str | None:
    """The proxy with user and password in it; never to be printed. None without a proxy."""
    if not settings.proxy:
        return None
    return with_sign_in(settings.proxy, settings.proxy_user, home.read_text(PROXY_PASSWORD))


def with_sign_in(proxy: str, user: str, password: str | None) -> str:
    """Put user and password into a proxy's address."""
    if not user:
        return proxy
    sign_in = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    return urlsplit(proxy)._replace(netloc=f"{sign_in}@{urlsplit(proxy).netloc}").geturl()


def without_sign_in(proxy: str) -> str:
    """A proxy's address as it may be shown, whatever stands in it."""
    return urlsplit(proxy)._replace(netloc=urlsplit(proxy).netloc.rpartition("@")[2]).geturl()


def check_proxy(proxy: str) -> None:
    """AgentError `usage` unless this is the address of a proxy, without a password in it."""
    if "@" in proxy:
        raise usage(
            "--proxy must not hold user or password, which everybody on this machine could see.",
            "Give --proxy-user and --proxy-password-file.",
        )
    if proxy.lower().startswith("socks"):
        raise usage(f"--proxy {proxy}: SOCKS proxies are not supported.", "Give the address of an http or https proxy.")
    try:
        parts = urlsplit(proxy)
        httpx.Proxy(proxy)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except (ValueError, httpx.InvalidURL) as error:
        raise _not_a_proxy(proxy) from error
    if not usable or " " in proxy:
        raise _not_a_proxy(proxy)


def _not_a_proxy(proxy: str) -> AgentError:
    return usage(f"--proxy {proxy} is not an http or https address.", "Give one like http://proxy.example.com:3128.")
