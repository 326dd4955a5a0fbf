"""JSON endpoints of requests and vaults: the same functions as the pages call."""

from ninja import Router

from vaults.api import requests, retention, vaults

router = Router()
router.add_router("/vault-requests", requests.router, tags=["Requests"])
router.add_router("/vaults", vaults.router, tags=["Vaults"])
router.add_router("/vaults", retention.router, tags=["Vaults"])
