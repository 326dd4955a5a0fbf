"""What this package raises."""


class Unacceptable(ValueError):
    """A key, request, certificate or sealed text that is not what it has to be."""
