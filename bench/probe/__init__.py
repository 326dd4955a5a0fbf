"""Looks into a running portal's database. A program of its own, since settings hold for a whole process.

Importing the package sets Django up, so that its modules may import models.
"""

import django

django.setup()
