"""JSON endpoints of agents."""

from ninja import Router

router = Router()
