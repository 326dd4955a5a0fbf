"""Refusals of a deployment that would not be safe. `manage.py prepare` runs them; so does each part of a production."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from portal.audit.actions import Action

MOST_DAYS = 36500  # a hundred years; far beyond, dates end
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@register(Tags.security)
def addresses(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Off localhost people come by https, machines everywhere."""
    found: list[CheckMessage] = []
    portal, edge = urlsplit(settings.PORTAL_URL), urlsplit(settings.EDGE_URL)
    if portal.scheme != "https" and (portal.scheme != "http" or portal.hostname not in LOCAL):
        found.append(Error("PORTAL_URL must be https: it is not on localhost.", id="strongroom.E001"))
    if edge.scheme != "https":
        found.append(Error("EDGE_URL must be https.", id="strongroom.E002"))
    if portal.path or edge.path or portal.query or edge.query:
        found.append(Error("PORTAL_URL and EDGE_URL must be addresses without a path.", id="strongroom.E003"))
    return found


@register(Tags.security)
def numbers(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """No setting has a number that means nothing."""
    found: list[CheckMessage] = []
    if not 0 <= settings.RENEWABLE_DAYS <= MOST_DAYS:
        found.append(Error(f"RENEWABLE_DAYS must be a number from 0 to {MOST_DAYS}.", id="strongroom.E004"))
    if settings.OPEN_REQUESTS < 1:
        found.append(Error("OPEN_REQUESTS must be at least 1.", id="strongroom.E005"))
    return found


@register(Tags.security, deploy=True)
def connections(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Over a network, database and broker show who they are."""
    found: list[CheckMessage] = []
    database = settings.DATABASES["default"]
    options = database.get("OPTIONS", {})
    hosts = str(options.get("hostaddr") or database.get("HOST", "")).split(",")
    over_network = "service" in options or not all(host in LOCAL or host.startswith("/") for host in hosts if host)
    if "postgresql" in database["ENGINE"] and over_network and options.get("sslmode") != "verify-full":
        found.append(
            Error(
                "DATABASE_URL must have sslmode=verify-full: the database is not on this machine.",
                hint="With sslrootcert=FILE, or sslrootcert=system, for the CA that its certificate is from.",
                id="strongroom.E018",
            )
        )
    broker = urlsplit(settings.BROKER_URL)
    if broker.scheme in {"redis", "rediss"} and (broker.hostname or "localhost") not in LOCAL:
        verified = parse_qs(broker.query).get("ssl_cert_reqs") == ["required"]
        if broker.scheme != "rediss" or not verified:
            found.append(
                Error(
                    "BROKER_URL must be rediss://…?ssl_cert_reqs=required: the broker is not on this machine.",
                    hint="With ssl_ca_certs=FILE for a CA of your own.",
                    id="strongroom.E019",
                )
            )
    return found


@register(Tags.security, deploy=True)
def production(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """What only a trial may have."""
    found: list[CheckMessage] = []
    if urlsplit(settings.PORTAL_URL).scheme != "https":
        found.append(
            Error(
                "PORTAL_URL is not https: set it to the address at which people reach the portal.",
                hint="A trial on localhost may be plain; a production may not, there either.",
                id="strongroom.E016",
            )
        )
    if not settings.SEAL_KEY:
        found.append(
            Error(
                "STRONGROOM_SEAL_KEY is not set: it seals the keys of the CAs, and is kept apart from them.",
                hint="Give one by the environment, or by STRONGROOM_SEAL_KEY_FILE, a file elsewhere.",
                id="strongroom.E017",
            )
        )
    if settings.DEBUG:
        found.append(Error("DEBUG shows settings and code to everybody; leave it off.", id="strongroom.E011"))
    if (settings.DATA / "demo-accounts.json").exists():
        found.append(
            Error(
                "The data folder has demo accounts, whose passwords lie in demo-accounts.json.",
                hint="Begin with an empty data folder and database.",
                id="strongroom.E012",
            )
        )
    if _seal_key_was_made_here():
        found.append(
            Error(
                "STRONGROOM_SEAL_KEY lies in the data folder, beside the keys that it seals.",
                hint="Give one by the environment or by a file elsewhere, then: manage.py pki reseal.",
                id="strongroom.E014",
            )
        )
    try:
        probe = settings.DATA / f".writable-{id(found)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        found.append(Error(f"The data folder cannot be written: {error.strerror}.", id="strongroom.E013"))
    return found


@register(Tags.database, deploy=True)
def demo_people(
    app_configs: Sequence[Any] | None = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Nobody of a trial can sign in, whether or not the file with their passwords is still there."""
    if not databases:
        return []
    from portal.accounts.models import User  # models are not loaded yet when checks register
    from portal.audit.models import AuditEvent

    made = AuditEvent.objects.filter(action=Action.USER_CREATE, actor_label="demo_accounts").values_list("target_id")
    left = User.objects.filter(pk__in=[int(key) for (key,) in made], is_active=True).values_list("username", flat=True)
    if not left:
        return []
    names = ", ".join(sorted(left))
    return [Error(f"Demo accounts can still sign in: {names}.", hint="Deactivate them.", id="strongroom.E015")]


def refuse_unsafe() -> None:
    """Raise ImproperlyConfigured with the first finding, when this is production. For web, gate and worker."""
    if settings.PRODUCTION and (found := addresses() + numbers() + connections() + production()):
        raise ImproperlyConfigured(str(found[0].msg))


def _seal_key_was_made_here() -> bool:
    """Also true when somebody gives, by the environment, the key that a trial had made."""
    path: Path = settings.DATA / "secrets" / "strongroom_seal_key"
    return path.is_file() and path.read_text().strip() == settings.SEAL_KEY
