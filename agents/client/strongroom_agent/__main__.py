"""`python -m strongroom_agent` and the script `strongroom-agent`."""

from .cli import main

if __name__ == "__main__":
    main()
