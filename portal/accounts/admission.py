"""How many passwords are looked at in one process at a time.

Argon2 takes a tenth of a second and 100 MiB, on purpose. A few at once use all processors; more would only take the
threads that pages and machines are answered with: some of them stay free, whatever comes to the sign-in.
"""

from django.conf import settings

from portal.core.admission import Admission

_BUSY = "Too many people are signing in at the moment."
admission = Admission(settings.PASSWORDS_AT_ONCE, _BUSY)
admission_of_known = Admission(1, _BUSY, waiting=2)
"""For those who are signed in, or have been in this browser: whatever strangers do at the sign-in."""
