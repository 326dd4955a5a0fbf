"""The app of machines."""

from django.apps import AppConfig

from portal.core import name_index


class AgentsConfig(AppConfig):
    """Machines, what they report, and the agent's packages."""

    name = "agents"

    def ready(self) -> None:
        """Machines are searched by name."""
        name_index.register(self, "agents_machine")
