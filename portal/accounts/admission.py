"""How many passwords are looked at in one process at a time.

Argon2 takes a tenth of a second and 100 MiB, on purpose. A few at once use all processors; more would only take the
threads that pages and machines are answered with: at least half of them stay free, whatever comes to the sign-in.
"""

from django.conf import settings

from portal.admission import Admission

admission = Admission(settings.PASSWORDS_AT_ONCE, "Too many people are signing in at the moment.")
