"""From a checked data folder to a portal that is ready, and back to nothing."""

import getpass
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from deploy.runner import edge, ports, processes, programs, readiness, reloading, supervision
from deploy.runner.folder import ROOT, check_sockets
from deploy.runner.guard import PR_SET_CHILD_SUBREAPER, prctl
from deploy.runner.parts import Part, parts
from deploy.runner.programs import Programs
from deploy.runner.refused import Refused
from deploy.runner.reloading import Reloading
from deploy.runner.signals import Signals
from deploy.runner.templates import fill
from deploy.runner.terminal import say
from portal import settings
from portal.config import env
from portal.core import files
from vaults.regions import config_file

SLOW = 45.0  # seconds from the start of the parts after which we say what is missing
ACCOUNTS = settings.DATA / "demo-accounts.json"


def run() -> int:
    """Everything between the checks of the data folder and the last process; the exit status. Raises Refused."""
    began = time.monotonic()
    processes.end(lambda: processes.marked(settings.DATA))
    ports.check({"PORT": settings.PORT, "EDGE_PORT": settings.EDGE_PORT})
    _set_environment()
    first = not ACCOUNTS.exists()
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(programs.find, own_broker=not env.text("BROKER_URL", ""))
        _prepare()
    started = _write_configuration(found.result())
    edge_files = Reloading(settings.PKI, lambda: reloading.signal_edge(supervision.CONTROL))
    signals = Signals([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD])
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # what loses its parent becomes ours, and is ended
    say(f"Starting {', '.join(part.name for part in started)}.")
    supervisor = _start_supervisor()
    try:
        return _watch(supervisor, signals, edge_files, began, first)
    finally:
        _stop(supervisor)


def _set_environment() -> None:
    """What all parts inherit."""
    os.environ[processes.MARK] = str(settings.DATA)
    os.environ["STRONGROOM_DATA"] = str(settings.DATA)
    os.environ["STRONGROOM_EDGE_SECRET"] = settings.EDGE_SECRET
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # glibc would keep memory apart for each thread
    os.environ.setdefault("GOGC", "50")  # Caddy and rclone keep half as much garbage; transfers are no slower


def _prepare() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "manage.py"), "prepare"], cwd=ROOT, check=False)
    if done.returncode:
        raise Refused("it could not be prepared; the reason stands above.")


def _write_configuration(found: Programs) -> Sequence[Part]:
    slugs = [place.slug for place in config_file.read(settings.REGIONS_FILE)]
    data, run_folder = settings.DATA, settings.RUN
    check_sockets(data, slugs)
    all_parts = parts(found, slugs)
    files.replace(data / "broker" / "broker.conf", fill("broker.conf.in", data=data, run=run_folder))
    files.replace(data / "edge" / "Caddyfile", edge.caddyfile(slugs))
    files.replace(run_folder / "supervisord.conf", supervision.configuration(all_parts, getpass.getuser()))
    return all_parts


def _start_supervisor() -> "subprocess.Popen[bytes]":
    """In a session of its own, so that Ctrl-C reaches us alone and the stop is in order."""
    guard = [sys.executable, "-S", "-m", "deploy.runner.guard", "TERM"]
    supervisord = [sys.executable, "-m", "deploy.runner.supervisord"]
    command = [*guard, *supervisord, "-c", str(settings.RUN / "supervisord.conf")]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


def _watch(
    supervisor: "subprocess.Popen[bytes]", signals: Signals, edge_files: Reloading, began: float, first: bool
) -> int:
    """Announce that it is ready, end orphans, keep the edge's certificates fresh; return when told to stop or when
    supervisord is gone."""
    ready = told = False
    slow = time.monotonic() + SLOW
    while not signals.wait(1.0 if ready else 0.25) & {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}:
        if supervisor.poll() is not None:
            say(f"supervisord ended with {supervisor.returncode}; see {settings.DATA / 'logs'}.")
            return 1
        orphans = processes.children() - {supervisor.pid}
        processes.send(orphans, signal.SIGTERM)
        if ready:
            edge_files.look()
            continue
        health = readiness.ask(settings.RUN / "web.sock")
        if health.ready:
            ready = True
            _announce(time.monotonic() - began, first)
        elif not told and time.monotonic() > slow:
            told = True
            _complain(health)
    say("Stopping.")
    return 0


def _announce(seconds: float, first: bool) -> None:
    say(f"\nStrongroom  {settings.PORTAL_URL}\nmachines    {settings.EDGE_URL}")
    if first and ACCOUNTS.exists():
        for name, password in json.loads(ACCOUNTS.read_text()).items():
            say(f"sign-in     {name:<10} {password}")
        say(f"            They are also in {ACCOUNTS}.")
    elif ACCOUNTS.exists():
        say(f"sign-ins    {ACCOUNTS}")
    say(f"ready after {seconds:.1f} s; Ctrl-C stops it\n")


def _complain(health: readiness.Health) -> None:
    for part, detail in health.missing.items():
        say(f"Not ready: {part}: {detail}")
        for line in readiness.tail(settings.DATA / "logs", part):
            say(line)
    say("Still trying; Ctrl-C stops it.")


def _stop(supervisor: "subprocess.Popen[bytes]") -> None:
    """End supervisord, which ends the parts, and then whatever else is left of them."""
    if supervisor.poll() is None:
        supervisor.terminate()
        try:
            supervisor.wait(30)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()
    processes.end(processes.children)
