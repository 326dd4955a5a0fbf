"""The parts of the portal: what each one runs."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.runner.folder import ROOT
from deploy.runner.programs import Programs
from portal import settings

BACK, FRONT = 1, 2
"""Groups: at a stop the front goes first, so that what it has under way still finds the back."""


@dataclass(frozen=True)
class Part:
    """One supervised process. `patience` is how many seconds it gets to stop."""

    name: str
    group: int
    command: Sequence[str]
    patience: int = 10

    @property
    def guarded(self) -> str:
        """The command under the guard, as one shell-like line."""
        return shlex.join([sys.executable, "-S", "-m", "deploy.runner.guard", *self.command])


def parts(programs: Programs, slugs: Sequence[str]) -> list[Part]:
    """All parts, in the order in which they start."""
    return [
        *([_broker(programs)] if programs.valkey else []),
        _storage(programs),
        *(_gateway(programs, slug) for slug in slugs),
        _web(),
        _gate(),
        _worker(),
        Part("beat", FRONT, ["TERM", *_celery("portal.clock", "beat"), "--loglevel", "WARNING"]),
        Part("edge", FRONT, ["TERM", programs.caddy, "run", "--adapter", "caddyfile", "--config", _edge_file()]),
    ]


def _edge_file() -> str:
    return str(settings.DATA / "edge" / "Caddyfile")


def _celery(application: str, what: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "--skip-checks", "-A", application, what]


def _broker(programs: Programs) -> Part:
    return Part("valkey", BACK, ["TERM", programs.valkey, str(settings.DATA / "broker" / "broker.conf")])


def _rclone(programs: Programs, *arguments: str) -> list[str]:
    return [programs.rclone, *arguments, "--config", str(settings.DATA / "rclone.conf"), "--log-level", "NOTICE"]


def _storage(programs: Programs) -> Part:
    socket = settings.STORAGE_SOCKET
    serve = _rclone(programs, "rcd", "--rc-addr", f"unix://{socket}", "--rc-no-auth", "--rc-serve")
    return Part("storage", BACK, ["--fresh", socket, "TERM", *serve])


def _gateway(programs: Programs, slug: str) -> Part:
    socket = settings.GATEWAY_SOCKET.format(region=slug)
    description = {
        "marker": str(settings.DATA / "gateway" / f"{slug}.alive"),
        "socket": socket,
        "check": [sys.executable, str(ROOT / "manage.py"), "check_recent_objects", "--region", slug],
        "serve": _rclone(
            programs,
            *("serve", "restic", "--append-only", "--cache-objects=false"),
            *("--addr", f"unix://{socket}", f"{slug}:"),
        ),
        "finish": 8,  # rclone itself gives up after ten
        "rest": 5,
    }
    parent = [sys.executable, "-S", "-m", "deploy.runner.gateway", json.dumps(description)]
    return Part(f"gateway-{slug}", FRONT, ["TERM", *parent], patience=12)


def _web() -> Part:
    socket = str(settings.RUN / "web.sock")
    serve = [sys.executable, "-m", "deploy.runner.web", socket]
    return Part("web", FRONT, ["--fresh", socket, "TERM", *serve])


def _gate() -> Part:
    socket = settings.GATE_SOCKET
    serve = [sys.executable, "-m", "deploy.runner.web", socket, "gate"]
    return Part("gate", FRONT, ["--fresh", socket, "TERM", *serve])


def _worker() -> Part:
    options = ["--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    return Part(
        "worker", FRONT, ["TERM", *_celery("portal.celery", "worker"), *options, "--loglevel", "INFO"], patience=15
    )
