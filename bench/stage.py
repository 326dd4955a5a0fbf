"""What the items measure on. Each part is made when an item first asks for it, and ended at the end of the run."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from bench import databases, programs, served
from bench.handles import Handles, Signer, Storage
from bench.portal import Portal, portal
from bench.sizes import Sizes

Part = TypeVar("Part")


@dataclass(frozen=True)
class Estate:
    """A filled database with its data folder, and our pages served on it."""

    data: Path
    env: dict[str, str]
    known: Handles
    site: served.Site


class Stage:
    """Estates, yardsticks and a running portal, in a folder of their own. Use as a context manager."""

    def __init__(self, sizes: Sizes, folder: Path, say: Callable[[str], None]) -> None:
        self.sizes = sizes
        self.folder = folder
        self._say = say
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def enter(self, manager: contextlib.AbstractContextManager[Part]) -> Part:
        """Keep it until the end of the run."""
        return self._stack.enter_context(manager)

    @cached_property
    def large(self) -> Estate:
        """The estate of the targets' sizes."""
        return self._estate("large")

    @cached_property
    def small(self) -> Estate:
        """The estate that shows whether pages stay flat."""
        return self._estate("small")

    @cached_property
    def bare(self) -> served.Site:
        """Django's own cost with middleware, session and a table, on the large database."""
        return self.enter(served.site(self.folder, "bench.bare_settings", self.large.env, self._database))

    @cached_property
    def plain(self) -> served.Site:
        """Django's own cost without middleware and session."""
        return self.enter(served.site(self.folder, "bench.plain_settings", self.large.env, self._database))

    @cached_property
    def gate(self) -> served.Site:
        """What answers the edge's question, on the large database."""
        return self.enter(served.site(self.folder, "portal.gate_settings", self.large.env, self._database))

    @cached_property
    def portal(self) -> Portal:
        """The whole portal as `make run` starts it, newly made."""
        self._say("starting a portal")
        return self.enter(portal(self.folder / "p", self.enter(databases.fresh("portal"))))

    @cached_property
    def _database(self) -> int | None:
        return databases.server_pid()

    def _estate(self, name: str) -> Estate:
        self._say(f"filling the {name} estate")
        data = self.folder / name
        data.mkdir()
        env = programs.environment(data, DJANGO_SETTINGS_MODULE="portal.settings", **self.enter(databases.fresh(name)))
        programs.run(programs.python("-m", "bench.seed", self.sizes.name, name), env)
        told = json.loads((data / "handles.json").read_text())
        told["storage"] = [Storage(**each) for each in told["storage"]]
        told["signers"] = [Signer(**each) for each in told["signers"]]
        site = self.enter(served.site(data, "portal.settings", env, self._database))
        return Estate(data, env, Handles(**told), site)
