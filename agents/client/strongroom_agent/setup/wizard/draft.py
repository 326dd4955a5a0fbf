"""The answers while they are gathered."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from strongroom_agent.portal.credential import Credential
from strongroom_agent.setup import cache_folder, checks
from strongroom_agent.setup.checks import SetupOptions
from strongroom_agent.state import identity, settings
from strongroom_agent.state.home import Home
from strongroom_agent.state.settings import Settings

GENERATE, TYPED, IN_FILE = "generate", "typed", "file"
"""Ways to a passphrase."""
CODE_GOES_WITH = ("edge", "ca_sha256", "vault")
"""What has to be known to use a one-time code."""


@dataclass(frozen=True)
class Draft:
    """What is known so far. `given` came with the command line or from an earlier start and is yet to be checked;
    `answered` has been. Both name fields of SetupOptions, and `way`, which says where the passphrase comes from."""

    home: Home
    options: SetupOptions
    given: frozenset[str] = frozenset()
    answered: frozenset[str] = frozenset()
    way: str = ""
    # What was measured and found, by what it depends on: large folders are counted once.
    found: dict[Hashable, object] = field(default_factory=dict, compare=False, repr=False)

    def taking(self, key: str, value: object) -> "Draft":
        """The same with one more answer."""
        here = replace(self, given=self.given - {key}, answered=self.answered | {key})
        if key == "way":
            return replace(here, way=str(value))
        return replace(here, options=replace(self.options, **{key: value}))  # type: ignore[arg-type]

    def preset(self, key: str, value: object) -> "Draft":
        """The same with an answer that is yet to be checked."""
        return replace(self.taking(key, value), given=self.given | {key}, answered=self.answered)

    def open(self, *keys: str) -> "Draft":
        """The same with these to be asked again; what was answered is the default then."""
        return replace(self, given=self.given - set(keys), answered=self.answered - set(keys))

    def without(self, *keys: str) -> "Draft":
        """The same with these dropped."""
        empty = SetupOptions()
        left = replace(self.options, **{key: getattr(empty, key) for key in keys})
        return replace(self.open(*keys), options=left)

    def value(self, key: str) -> object:
        """The answer to a question, or what the field holds without one."""
        return self.way if key == "way" else getattr(self.options, key)

    @property
    def before(self) -> Settings | None:
        """The settings of the machine that this computer is already; None where it is none."""
        return settings.before_setup(self.home) if identity.load(self.home) else None

    @property
    def by_code(self) -> bool:
        """Whether a one-time code stands for the file, which there is none of before the summary is agreed to."""
        return bool(self.options.code)

    @property
    def knows_portal(self) -> bool:
        """Whether it was said which portal this is about, so that it can be asked."""
        return {"credentials", *(CODE_GOES_WITH if self.by_code else ())} <= self.answered

    @property
    def credential(self) -> Credential:
        """The credential of the file that was named. AgentError when it is not in order any more, or not there yet."""
        return checks.credential_file(self.home, self.options)

    def extent(self) -> cache_folder.Extent:
        """How much there is to protect, counted once."""
        key = (*self.options.protect, self.options.cache_dir, self.options.include_network)
        if key not in self.found:
            self.found[key] = checks.extent(self.home, self.options)
        known = self.found[key]
        assert isinstance(known, cache_folder.Extent)  # noqa: S101 - put there just now
        return known
