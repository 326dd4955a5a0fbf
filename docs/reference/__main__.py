"""Write the pages that are made from the code: `python -m docs.reference`."""

from pathlib import Path

from docs.reference import codes, commands

DOCS = Path(__file__).resolve().parent.parent
PAGES = {"codes.md": codes.page, "commands.md": commands.page}


def main() -> None:
    """Write each page anew."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
