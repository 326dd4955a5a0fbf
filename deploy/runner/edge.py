"""The edge's configuration: which addresses it listens on, how people's side gets its certificate, which regions."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from deploy.runner import ports
from deploy.runner.refused import Refused
from deploy.runner.templates import fill
from portal import settings
from portal.checks import LOCAL
from portal.config import env

UNREADABLE = "chunk|header line too long|non-data"
"""What Go says about a chunked body that is none; Caddy takes it for a fault of what is behind it."""

LATE = "i/o timeout"
"""The same about a body that has not come within its time limit, by HTTP/2; by HTTP/1.1 it answers 499 itself."""


def caddyfile(slugs: Sequence[str]) -> str:
    """The Caddyfile for `slugs`; raises Refused when PORTAL_TLS or the addresses cannot be used."""
    return fill(
        "edge/Caddyfile.in",
        data=settings.DATA,
        run=settings.RUN,
        static=settings.STATIC_ROOT,
        packages=settings.AGENT_PACKAGES,
        pki=settings.PKI,
        auto_https="disable_redirects" if settings.HTTPS else "off",
        portal_site=_portal_site(),
        portal_hosts=" ".join(_portal_hosts()),
        portal_protocols="h1 h2" if settings.HTTPS else "h1",
        unreadable=UNREADABLE,
        late=LATE,
        portal_bind=_bind(settings.PORTAL_URL),
        portal_tls=_portal_tls(),
        edge_port=settings.EDGE_PORT,
        edge_bind=_bind(settings.EDGE_URL),
        edge_listener=_edge_listener(),
        regions="".join(_region(slug) for slug in slugs),
    )


def _region(slug: str) -> str:
    return fill(
        "edge/region.in",
        slug=slug,
        run=settings.RUN,
        gate=settings.GATE_SOCKET,
        gateway=settings.GATEWAY_SOCKET.format(region=slug),
    )


def _portal_site() -> str:
    host = urlsplit(settings.PORTAL_URL).hostname or "localhost"
    if settings.HTTPS:
        return f"https://{f'[{host}]' if ':' in host else host}:{settings.PORT}"
    return f"http://:{settings.PORT}"


def _portal_hosts() -> list[str]:
    """The names that people's side answers to, as the web knows them."""
    return [host.strip("[]") for host in settings.ALLOWED_HOSTS if host]


def _edge_listener() -> str:
    """How Caddy knows the listener of machines: by the first address that it is bound to."""
    address = ports.loopbacks()[0] if _is_local(settings.EDGE_URL) else ""
    return f"[{address}]:{settings.EDGE_PORT}" if ":" in address else f"{address}:{settings.EDGE_PORT}"


def _is_local(url: str) -> bool:
    return (urlsplit(url).hostname or "") in LOCAL


def _bind(url: str) -> str:
    """Only this machine reaches what has a local address; anything else is for everybody."""
    return f"bind {' '.join(ports.loopbacks())}" if _is_local(url) else ""


def _portal_tls() -> str:
    """PORTAL_TLS: `auto` (Caddy gets certificates by itself), `internal` (Caddy's own CA), or `CERTIFICATE KEY`."""
    if not settings.HTTPS:
        return ""
    words = env.text("PORTAL_TLS", "auto").split()
    if words == ["auto"]:
        return ""
    if words == ["internal"]:
        return "tls internal"
    if len(words) != 2 or not all(word.startswith("/") for word in words):
        raise Refused("PORTAL_TLS must be `auto`, `internal`, or the paths of a certificate and its key.")
    return f'tls "{words[0]}" "{words[1]}"'
