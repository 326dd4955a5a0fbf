"""What the person who typed `make run` reads."""

import sys


def say(text: str) -> None:
    """One line, at once; a reader who has gone away does not stop the portal."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass
