"""The app of machines."""

from django.apps import AppConfig

from portal.core import name_index


class AgentModels(AppConfig):
    """The models alone, as the gate has them (portal/gate_settings.py)."""

    name = "agents"


class AgentsConfig(AgentModels):
    """Machines, what they report, and the agent's packages."""

    default = True

    def ready(self) -> None:
        """Machines are searched by name; what else of machines appears in rooms of the portal and of vaults."""
        from agents import queries, retention
        from agents.monitoring.dashboard import estate_of
        from agents.monitoring.proof_age import expect
        from agents.replacement import inbox as replacements
        from agents.search import find, named
        from portal.audit import names
        from portal.core.retention import all_rules
        from portal.pki import rotation
        from portal.web import inbox, navigation, search
        from vaults.extensions import estates, machine_names, machines_in, restore_expectations

        name_index.register(self, "agents_machine")
        search.providers.add(find)
        names.providers.add(("machine", named))
        navigation.counters["requests"].add(replacements.count_to_decide)
        inbox.providers.add(replacements.waiting)
        rotation.holders.add(queries.machines_needing)
        all_rules.add(retention.rules)
        estates.add(estate_of)
        restore_expectations.add(expect)
        machine_names.add(queries.name_of)
        machines_in.add(queries.names_in)
