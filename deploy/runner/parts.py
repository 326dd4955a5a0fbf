"""The parts of the portal: what each one runs."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.runner.folder import ROOT
from deploy.runner.guard import EDGE_SECRET, SECRETS, SITE_SECRETS
from deploy.runner.programs import Programs
from portal import settings

BACK, FRONT = 1, 2
"""Groups: at a stop the front goes first, so that what it has under way still finds the back."""


@dataclass(frozen=True)
class Part:
    """One supervised process. `patience` is how many seconds it gets to stop, `without` secrets it has no use for."""

    name: str
    group: int
    command: Sequence[str]
    patience: int = 10
    without: Sequence[str] = ()

    @property
    def guarded(self) -> str:
        """The command under the guard, as one shell-like line."""
        without = ["--without", ",".join(self.without)] if self.without else []
        return shlex.join([sys.executable, "-S", "-m", "deploy.runner.guard", *without, *self.command])


def parts(programs: Programs, slugs: Sequence[str]) -> list[Part]:
    """All parts, in the order in which they start."""
    return [
        *([_broker(programs)] if programs.valkey else []),
        _storage(programs),
        *(_gateway(programs, slug) for slug in slugs),
        _web(),
        _gate(),
        _worker(),
        _edge(programs),
    ]


def _edge(programs: Programs) -> Part:
    serve = [programs.caddy, "run", "--adapter", "caddyfile", "--config", _edge_file()]
    return Part("edge", FRONT, ["TERM", *serve], without=SITE_SECRETS)


def _found_in_the_folder() -> Sequence[str]:
    """What the site's processes need not be told: the edge's secret, unless it was given by the environment alone."""
    path = settings.DATA / "secrets" / EDGE_SECRET.lower()
    known = path.exists() and path.read_text().strip() == settings.EDGE_SECRET
    return (EDGE_SECRET,) if known else ()


def _edge_file() -> str:
    return str(settings.DATA / "edge" / "Caddyfile")


def _broker(programs: Programs) -> Part:
    return Part(
        "valkey", BACK, ["TERM", programs.valkey, str(settings.DATA / "broker" / "broker.conf")], without=SECRETS
    )


def _rclone(programs: Programs, *arguments: str) -> list[str]:
    return [programs.rclone, *arguments, "--config", str(settings.DATA / "rclone.conf"), "--log-level", "NOTICE"]


def _storage(programs: Programs) -> Part:
    socket = settings.STORAGE_SOCKET
    serve = _rclone(programs, "rcd", "--rc-addr", f"unix://{socket}", "--rc-no-auth", "--rc-serve")
    return Part("storage", BACK, ["--fresh", socket, "TERM", *serve], without=SECRETS)


def _gateway(programs: Programs, slug: str) -> Part:
    inner = str(settings.RUN / f"rclone-{slug}.sock")
    description = {
        "marker": str(settings.DATA / "gateway" / f"{slug}.alive"),
        "socket": settings.GATEWAY_SOCKET.format(region=slug),
        "inner": inner,
        "gate": settings.GATE_SOCKET,
        "check": [sys.executable, str(ROOT / "manage.py"), "check_recent_objects", "--region", slug],
        "serve": _rclone(
            programs,
            *("serve", "restic", "--append-only", "--cache-objects=false"),
            *("--addr", f"unix://{inner}", f"{slug}:"),
        ),
        "finish": 8,  # rclone itself gives up after ten
        "rest": 5,
    }
    parent = [sys.executable, "-S", "-m", "deploy.runner.gateway", json.dumps(description)]
    return Part(f"gateway-{slug}", FRONT, ["TERM", *parent], patience=12)


def _web() -> Part:
    socket = str(settings.RUN / "web.sock")
    serve = [sys.executable, "-m", "deploy.runner.web", socket]
    return Part("web", FRONT, ["--fresh", socket, "TERM", *serve], without=_found_in_the_folder())


def _gate() -> Part:
    socket = settings.GATE_SOCKET
    serve = [sys.executable, "-m", "deploy.runner.web", socket, "gate"]
    return Part("gate", FRONT, ["--fresh", socket, "TERM", *serve], without=_found_in_the_folder())


def _worker() -> Part:
    work = [sys.executable, "-m", "deploy.runner.worker"]
    return Part("worker", FRONT, ["TERM", *work], patience=15, without=_found_in_the_folder())
