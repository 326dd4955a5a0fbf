"""The app of vaults."""

from django.apps import AppConfig


class VaultsConfig(AppConfig):
    """Regions, requests, vaults and their storage."""

    name = "vaults"
