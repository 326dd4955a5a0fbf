"""The app of vaults."""

from django.apps import AppConfig

from portal.core import name_index


class VaultModels(AppConfig):
    """The models alone, as the gate has them (portal/gate_settings.py)."""

    name = "vaults"


class VaultsConfig(VaultModels):
    """Regions, requests, vaults and their storage."""

    default = True

    def ready(self) -> None:
        """Vaults and requests are searched by name; what else of vaults appears in rooms of the portal."""
        from portal.audit import names
        from portal.core.retention import all_rules
        from portal.pki import rotation
        from portal.web import inbox, navigation, search
        from vaults import queries, retention
        from vaults.regions import provider
        from vaults.regions.containers import Containers
        from vaults.retention_policy import inbox as retention_changes
        from vaults.search import find, named

        name_index.register(self, "vaults_vault")
        name_index.register(self, "vaults_vaultrequest")
        search.providers.add(find)
        names.providers.add(("vault", named))
        navigation.counters["requests"].add(queries.count_to_decide)
        navigation.counters["requests"].add(retention_changes.count_to_decide)
        inbox.providers.add(retention_changes.waiting)
        rotation.holders.add(queries.credentials_needing)
        all_rules.add(retention.rules)
        provider.register("containers", Containers())
