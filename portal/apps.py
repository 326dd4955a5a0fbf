"""The site's own app."""

from django.apps import AppConfig


class PortalModels(AppConfig):
    """The models alone, as the gate has them (portal/gate_settings.py)."""

    name = "portal"


class PortalConfig(PortalModels):
    """The checks of the deployment, and how long the site keeps its rows."""

    default = True

    def ready(self) -> None:
        """Import what registers itself, and add what the site itself has."""
        from portal import checks, retention  # noqa: F401
        from portal.core.retention import all_rules

        all_rules.add(retention.rules)
