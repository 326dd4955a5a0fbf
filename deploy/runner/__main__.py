"""`python -m deploy.runner`: what `make run` runs."""

import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from deploy.runner import folder
from deploy.runner.refused import Refused
from portal.config import env


def main() -> int:
    """Run the portal until it is told to stop; the exit status. A start that cannot be says so in one line."""
    os.umask(0o077)
    try:
        data = folder.usable(Path(env.text("STRONGROOM_DATA", str(folder.ROOT / "var"))).absolute())
        with folder.lock(data):
            # Imported here because the settings make secrets in the data folder, which has to be usable first.
            from deploy.runner.start import run

            return run()
    except (Refused, ImproperlyConfigured) as refusal:
        sys.stderr.write(f"Strongroom does not start: {refusal}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
