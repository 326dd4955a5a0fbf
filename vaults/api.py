"""JSON endpoints of vaults."""

from ninja import Router

router = Router()
