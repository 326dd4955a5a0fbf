"""The app."""

from django.apps import AppConfig


class QuotaChangesConfig(AppConfig):
    """Another kind of request."""

    name = "tests.portal.approvals.quota_changes"
    label = "quota_changes"
