"""A throw-away PostgreSQL: `python -m tests.postgres PROGRAM …` runs the program with DATABASE_URL pointing at it.

The cluster lies in a temporary folder, listens on a unix socket alone, and writes without waiting for the disk. It runs
as a user without rights: PostgreSQL refuses root.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

USER = "strongroom"
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


class NoPostgres(Exception):
    """PostgreSQL's programs are not installed."""


def programs() -> Path:
    """The folder with initdb and postgres, the newest where there are several; raises NoPostgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    if path := shutil.which("initdb"):
        return Path(path).resolve().parent
    raise NoPostgres("PostgreSQL is not installed.")


@contextmanager
def cluster() -> Iterator[str]:
    """A running, empty cluster; yields the DATABASE_URL of its database."""
    folder = Path(tempfile.mkdtemp(prefix="srpg-", dir="/tmp"))  # short: sockets lie in it
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        _run(folder, "initdb", "--pgdata", f"{folder}/data", "--username", USER, "--auth", "trust", "--no-sync")
        settings = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in OPTIONS.items())
        options = f"-k {folder} {settings}"
        _run(folder, "pg_ctl", "--pgdata", f"{folder}/data", "--log", f"{folder}/log", "-o", options, "--wait", "start")
        try:
            _run(folder, "createdb", "--host", str(folder), "--username", USER, USER)
            yield f"postgresql://{USER}@/{USER}?host={folder}"
        finally:
            _run(folder, "pg_ctl", "--pgdata", f"{folder}/data", "--mode", "immediate", "--wait", "stop")
    finally:
        shutil.rmtree(folder)


def _run(folder: Path, program: str, *arguments: str) -> None:
    command = [str(programs() / program), *arguments]
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    # To a file and not to a pipe: the server keeps what it inherits open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(command, stdout=output, stderr=output, cwd=folder, check=False)
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{program} failed: {output.read()}")


def main(command: Sequence[str]) -> int:
    """Run `command` beside a cluster; its exit status."""
    with cluster() as url:
        return subprocess.run(command, env={**os.environ, "DATABASE_URL": url}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
