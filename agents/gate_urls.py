"""What the gate answers (portal/gate_settings.py): the edge, and the gateways about transfers that are under way."""

from django.urls import path

from agents.views.gateway import authorize, transfers

urlpatterns = [
    path("gateway/authorize", authorize, name="gateway-authorize"),
    path("gateway/transfers", transfers, name="gateway-transfers"),
]
