"""cron, where there is no systemd: a marked block in this user's table, which starts the program every hour."""

import re
import shlex
import sys
from pathlib import Path

from strongroom_agent.core import surroundings

from .scheduler import ARGUMENTS, Entry, ask, failed, must

_DAEMONS = frozenset({"cron", "crond", "fcron", "dcron", "bcron-sched"})
_EMPTY = re.compile(rb"no crontab for", re.IGNORECASE)


class Cron:
    """The table of cron that each user has."""

    kind = "cron"
    jitter = False

    def lacking(self) -> str:
        """Its program for tables must be there, and its daemon running."""
        if not surroundings.find_program("crontab"):
            return "cron is not installed (there is no crontab program)."
        return "" if _is_running() else "cron is installed, and not running."

    def install(self, entry: Entry) -> str:
        """Put our block in, at the end or in the place of the one before."""
        if any("\n" in text or "\r" in text for text in (*entry.environment.values(), entry.program)):
            raise failed("a table of cron cannot hold a path with a line end in it")
        before = _table()
        after = with_block(before, entry)
        if after != before:
            must("crontab", "-", given=after)
        return ""

    def remove(self, name: str) -> None:
        """Take our block out; every other byte of the table stays."""
        before = _table()
        after = without_block(before, name)
        if after != before:
            must("crontab", "-", given=after)

    def trouble(self, name: str) -> str:
        """A block that is gone, or a cron that does not run."""
        if not _block(name).search(_table()):
            return "The lines of strongroom-agent are gone from this user's table of cron."
        return self.lacking()


def with_block(table: bytes, entry: Entry) -> bytes:
    """The table with the entry's block, where it stood before or at the end."""
    block = _begin(entry.name) + line(entry) + _end(entry.name)
    if _block(entry.name).search(table):
        return _block(entry.name).sub(lambda _: block, table, count=1)
    return table + (b"" if not table or table.endswith(b"\n") else b"\n") + block


def without_block(table: bytes, name: str) -> bytes:
    """The table without the block of that name."""
    return _block(name).sub(b"", table)


def line(entry: Entry) -> bytes:
    """The one line. Its answer goes nowhere, since cron would mail each; the
    portal is told what fails, and `status` tells it here."""
    polite = [word for name, *rest in (("nice", "-n", "10"), ("ionice", "-c", "3")) for word in _if_there(name, rest)]
    variables = [f"{name}={value}" for name, value in entry.environment.items()]
    words = [*polite, surroundings.find_program("env") or "/usr/bin/env", *variables, entry.program, *ARGUMENTS]
    command = " ".join(_word(each) for each in words)
    return f"{entry.calendar.minute} * * * * {command} >/dev/null 2>&1\n".encode("utf-8", "surrogateescape")


def _word(text: str) -> str:
    """For the shell behind cron: some crons take the backslash before a percent sign away and some leave it, so it
    stands outside of quotes, where it means the same to the shell."""
    return "\\%".join(shlex.quote(part) if part else "" for part in text.split("%")) or "''"


def _if_there(name: str, rest: list[str]) -> list[str]:
    found = surroundings.find_program(name)
    return [found, *rest] if found else []


def _begin(name: str) -> bytes:
    return f"# BEGIN {name}: written and removed by strongroom-agent schedule\n".encode()


def _end(name: str) -> bytes:
    return f"# END {name}\n".encode()


def _block(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"^" + re.escape(_begin(name)) + rb"(?:.*\n)*?" + re.escape(_end(name)), re.MULTILINE)


def _table() -> bytes:
    done = ask("crontab", "-l")
    if done.returncode == 0:
        return done.stdout
    if _EMPTY.search(done.stderr):
        return b""
    raise failed(f"crontab -l ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace').strip()}")


def _is_running() -> bool:
    """By the names of processes; where they cannot be seen, by the file with the daemon's number."""
    if not sys.platform.startswith("linux"):
        return True
    for each in Path("/proc").glob("[0-9]*/comm"):
        try:
            if each.read_text(encoding="utf-8", errors="replace").strip() in _DAEMONS:
                return True
        except OSError:
            continue
    return False
