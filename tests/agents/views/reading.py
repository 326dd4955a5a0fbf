"""What is read in the pages of machines."""

from html.parser import HTMLParser


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def text(page: bytes) -> str:
    """The words of the page, as a person sees them, with single spaces."""
    parser = _Text()
    parser.feed(page.decode())
    return " ".join(parser.words)
