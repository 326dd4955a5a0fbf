"""JSON endpoints of machines: for people, and for the machines themselves."""

from ninja import Router

from agents.api import agent, machines, recovery, replacements

router = Router()
router.add_router("", machines.router, tags=["Machines"])
router.add_router("", recovery.router, tags=["Machines"])
router.add_router("", replacements.router, tags=["Machines"])
router.add_router("/agent", agent.router, tags=["Agents"], auth=None)
