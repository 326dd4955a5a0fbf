"""`python -m strongroom_agent` and the script `strongroom-agent`."""

import os
import sys


def main() -> None:
    """The program, with file names read as UTF-8 whatever the locale is: restic always reads them so."""
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - it is this program
    from .cli.program import main as run

    run()


if __name__ == "__main__":
    main()
