"""Checks passwords. Permissions come from the flags on the person, never from tables of permissions."""

from django.contrib.auth.backends import ModelBackend


class PortalBackend(ModelBackend):
    """Django's password check for our people."""
