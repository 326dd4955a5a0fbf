"""How much of the long suites runs: a share in `make test`, their full counts in `make test-long`."""

import os

from hypothesis import settings

LONG = bool(os.environ.get("STRONGROOM_LONG"))
MANY = 20 if LONG else 1
"""How often the cases that a property test has in every run are multiplied."""

# The cases of a short run are the same each time, those of a long one are drawn anew.
settings.register_profile("strongroom", derandomize=not LONG, database=None, deadline=None, print_blob=LONG)
settings.load_profile("strongroom")
