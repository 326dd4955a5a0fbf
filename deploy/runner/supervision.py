"""Supervisord's configuration. It restarts whatever dies, about a second later, for as long as it runs."""

from collections.abc import Iterable

from deploy.runner.folder import ROOT
from deploy.runner.parts import BACK, FRONT, Part
from portal import settings

HEAD = """\
[supervisord]
nodaemon = true
silent = true
user = {user}
directory = {root}
logfile = {logs}/supervisord.log
logfile_maxbytes = 1MB
logfile_backups = 2
pidfile = {run}/supervisord.pid
umask = 077

[unix_http_server]
file = {control}
chmod = 0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
CONTROL = settings.RUN / "parts.sock"  # supervisord binds it with its process id behind the name: keep that short

GROUP = """
[group:{name}]
programs = {programs}
priority = {priority}
"""

# startsecs = 0: a part counts as running at once, so that supervisord never gives up on one that dies early.
PROGRAM = """
[program:{name}]
command = {command}
startsecs = 0
autorestart = true
stopwaitsecs = {patience}
killasgroup = true
redirect_stderr = true
stdout_logfile = {logs}/{name}.log
stdout_logfile_maxbytes = 5MB
stdout_logfile_backups = 3
"""


def configuration(parts: Iterable[Part], user: str) -> str:
    """The whole file. `user` is the one that we run as: supervisord wants to be told when that is root."""
    known = list(parts)
    logs = settings.DATA / "logs"
    sections = [HEAD.format(user=user, root=ROOT, logs=logs, run=settings.RUN, control=CONTROL)]
    for name, group in (("back", BACK), ("front", FRONT)):
        members = ",".join(part.name for part in known if part.group == group)
        sections.append(GROUP.format(name=name, programs=members, priority=group))
    for part in known:
        # Supervisord expands % in values.
        command = part.guarded.replace("%", "%%")
        sections.append(PROGRAM.format(name=part.name, command=command, patience=part.patience, logs=logs))
    return "".join(sections)
