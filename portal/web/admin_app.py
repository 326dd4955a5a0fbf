"""Tells Django to use our admin site. Apart from it, since apps are configured before models can be imported."""

from django.contrib.admin.apps import AdminConfig


class AdministrationConfig(AdminConfig):
    """Django's admin with our site."""

    default_site = "portal.web.admin_site.AdministrationSite"
