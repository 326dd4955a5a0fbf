"""Radio buttons whose choices say what they mean."""

from collections.abc import Mapping
from typing import Any

from django.forms import RadioSelect


class ExplainedRadios(RadioSelect):
    """One card for each choice. `about` has what is said of a choice, by its value; those in `closed` can't be chosen.

    Set both before the form is rendered.
    """

    about: Mapping[str, str] = {}
    closed: frozenset[str] = frozenset()

    def create_option(self, name: str, value: object, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """An option of Django's with what is said of it, joined by `aria-describedby`."""
        option = super().create_option(name, value, *args, **kwargs)
        option["about"] = self.about.get(str(value), "")
        if option["about"] and (key := option["attrs"].get("id")):
            option["attrs"]["aria-describedby"] = f"{key}_about"
        if str(value) in self.closed:
            option["attrs"]["disabled"] = True
        return option
