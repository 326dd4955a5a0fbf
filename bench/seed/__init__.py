"""Fills an empty database to size. A program of its own, since settings hold for a whole process.

Importing the package sets Django up, so that its modules may import models.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()
