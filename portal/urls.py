"""The map of the site. Apps are named by text, so that the site imports none of them."""

from django.conf import settings
from django.contrib import admin
from django.shortcuts import redirect
from django.urls import include, path

from portal import api, apidocs, health

urlpatterns = [
    path("", lambda request: redirect(settings.LOGIN_REDIRECT_URL), name="home"),
    path("health/", include(health.urls)),
    path("accounts/", include("portal.accounts.urls")),
    path("notifications/", include("portal.notifications.urls")),
    path("audit/", include("portal.audit.urls")),
    path("api/v1/docs", apidocs.docs, name="api-docs"),
    path("api/v1/", api.urls),
    path("admin/", admin.site.urls),
    path("", include("vaults.urls")),
    path("", include("agents.urls")),
]
handler400 = "portal.pages.bad_request"
handler403 = "portal.pages.forbidden"
handler404 = "portal.pages.not_found"
handler500 = "portal.pages.server_error"
