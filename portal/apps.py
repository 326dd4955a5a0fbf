"""The site's own app."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Registers the checks of the deployment."""

    name = "portal"

    def ready(self) -> None:
        """Import what registers itself."""
        from portal import checks  # noqa: F401
