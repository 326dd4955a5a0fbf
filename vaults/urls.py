"""URLs of vaults."""

from django.urls import URLPattern

app_name = "vaults"
urlpatterns: list[URLPattern] = []
