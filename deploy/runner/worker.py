"""The worker: `python -m deploy.runner.worker`. Celery's command line takes 8 MiB more, for options that are fixed.

Settings that hold for each worker stand in `portal.config.celery_settings`.
"""

import os
import sys


def main() -> int:
    """Work until told to stop; the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    os.environ["CELERY_SKIP_CHECKS"] = "true"  # they would load all pages; the runner has checked before
    from portal.celery import app

    worker = app.Worker(loglevel="INFO", quiet=True, without_gossip=True, without_mingle=True, without_heartbeat=True)
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
