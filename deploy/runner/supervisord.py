"""supervisord, whose log may be on a full disk: `python -m deploy.runner.supervisord -c FILE`.

When a line of its log cannot be written, supervisord says so on its standard error, and when that cannot be written
either it dies, and all parts with it. A log must not end what it is about.
"""

from supervisor.loggers import Handler
from supervisor.supervisord import main


def _lose_the_line(handler: Handler) -> None:
    """In the place of a traceback on standard error."""


if __name__ == "__main__":
    Handler.handleError = _lose_the_line
    main()
