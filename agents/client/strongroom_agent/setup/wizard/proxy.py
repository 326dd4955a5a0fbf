"""The step *Proxy configuration*."""

from strongroom_agent.state import settings

from .asking import Question
from .draft import Draft
from .steps import Field, Step

STEP = Step(
    2,
    "Proxy configuration",
    "Only where this machine reaches Strongroom through an HTTP proxy. "
    "No other proxy setting of this system counts, neither now nor for the backups.",
)
_NONE = "none"


class Proxy(Field):
    """The proxy's address, if there is one."""

    key, label, step = "proxy", "Proxy address", STEP

    def question(self, draft: Draft) -> Question:
        """Without user and password, which have questions of their own."""
        return Question(
            f"{self.label}, such as http://proxy.example.com:3128", draft.options.proxy or _NONE, check=_check
        )

    def parsed(self, text: str) -> object:
        """Empty for none."""
        return "" if text.casefold() == _NONE else text

    def check(self, draft: Draft, value: object) -> Draft:
        """Another proxy has another sign-in."""
        _check(str(value))
        before = draft.options.proxy
        draft = draft.taking(self.key, value)
        return draft if before == value else draft.without("proxy_user", "proxy_password")

    def shown(self, draft: Draft) -> str:
        """In a word where there is none."""
        return draft.options.proxy or _NONE


class User(Field):
    """Who signs in to the proxy."""

    key, label, step = "proxy_user", "Proxy user", STEP

    def applies(self, draft: Draft) -> bool:
        """Only of a proxy."""
        return bool(draft.options.proxy)

    def question(self, draft: Draft) -> Question:
        """Most have none."""
        return Question(self.label, draft.options.proxy_user or _NONE)

    def parsed(self, text: str) -> object:
        """Empty for none."""
        return "" if text.casefold() == _NONE else text

    def shown(self, draft: Draft) -> str:
        """In a word where there is none."""
        return draft.options.proxy_user or _NONE


class Password(Field):
    """What the user signs in with. It is kept on this machine for the backups, and nowhere for a later setup."""

    key, label, step = "proxy_password", "Proxy password", STEP

    def applies(self, draft: Draft) -> bool:
        """Only of a user."""
        return bool(draft.options.proxy and draft.options.proxy_user)

    def question(self, draft: Draft) -> Question:
        """Never shown."""
        return Question(f"{self.label} (not shown)", hint="Enter for none", secret=True)

    def shown(self, draft: Draft) -> str:
        """That there is one."""
        return "given, not shown" if draft.options.proxy_password else _NONE


def _check(text: str) -> None:
    if text and text.casefold() != _NONE:
        settings.check_proxy(text)


FIELDS: tuple[Field, ...] = (Proxy(), User(), Password())
