"""The app of vaults."""

from django.apps import AppConfig

from portal.core import name_index


class VaultsConfig(AppConfig):
    """Regions, requests, vaults and their storage."""

    name = "vaults"

    def ready(self) -> None:
        """Vaults and requests are searched by name."""
        name_index.register(self, "vaults_vault")
        name_index.register(self, "vaults_vaultrequest")
