"""The map of the site. Apps are named by text, so that the site imports none of them."""

from django.conf import settings
from django.contrib import admin
from django.shortcuts import redirect
from django.urls import include, path

from portal.api import app, docs
from portal.health import views

urlpatterns = [
    path("", lambda request: redirect(settings.LOGIN_REDIRECT_URL), name="home"),
    path("health/", include(views.urls)),
    path("accounts/", include("portal.accounts.urls")),
    path("notifications/", include("portal.notifications.urls")),
    path("audit/", include("portal.audit.urls")),
    path("api/v1/docs", docs.docs, name="api-docs"),
    path("api/v1/", app.urls),
    path("admin/", admin.site.urls),
    path("", include("vaults.urls")),
    path("", include("agents.urls")),
]
handler400 = "portal.web.error_pages.bad_request"
handler403 = "portal.web.error_pages.forbidden"
handler404 = "portal.web.error_pages.not_found"
handler500 = "portal.web.error_pages.server_error"
